<?php
/**
 * ecsync in your ECShop (2.7.3 to 4.x): lists open orders, writes waybill numbers back, keeps stock.
 *
 * Upload this file next to index.php. Do not put settings in here, an upgrade would lose them: make a file
 * data/ecsync-config.php instead, which overrides what stands below:
 *
 *     <?php return array('key' => 'at least 32 random characters, the same as in ecsync');
 *
 * Every request is signed with that key, may be made once, and must come over HTTPS. Nothing else is needed:
 * the database is the one that data/config.php names. Runs on PHP 5.3 to 8.x with mysqli or mysql.
 */

/** What may be set in data/ecsync-config.php. */
class EcsyncDefaults
{
    public static function all()
    {
        return array(
            'key' => '',                   // shared with ecsync; at least 32 characters, or nothing is answered
            'allow' => array(),            // addresses that may call, such as '203.0.113.7' or '2001:db8::/32'; empty: all
            'trusted_proxies' => array(),  // addresses of your own proxies, whose X-Forwarded-* headers are believed
            'allow_http' => false,         // true: without HTTPS from this very machine (for trials), never from others
            'api_user' => '',              // a user and a password of 16 characters or more open /ecsync.php/api/orders
            'api_password' => '',
        );
    }
}

/* ---- How it answers ------------------------------------------------------------------------------------------ */

/** A request that is not served: a code for machines and a sentence for people, never SQL, paths or personal data. */
class EcsyncRefusal extends Exception
{
    public $status;
    public $word;
    public $extra;

    public function __construct($status, $word, $message, array $extra = array())
    {
        parent::__construct($message);
        $this->status = $status;
        $this->word = $word;
        $this->extra = $extra;
    }

    public function document()
    {
        return array('error' => array('code' => $this->word, 'message' => $this->getMessage())) + $this->extra;
    }
}

/** The one answer of a request. Whatever the shop's own files print, or die of, does not get into it. */
class EcsyncAnswer
{
    private static $isSent = false;
    private static $format = 'json';
    private static $prepared = null;

    /** From here on there is one answer, come what may. */
    public static function begin()
    {
        error_reporting(E_ALL);
        @ini_set('display_errors', '0');
        @ini_set('html_errors', '0');
        @ini_set('magic_quotes_runtime', '0');
        @ignore_user_abort(true);
        ob_start();
        register_shutdown_function(array('EcsyncAnswer', 'finish'));
    }

    public static function useFormat($format)
    {
        self::$format = $format === 'xml' ? 'xml' : 'json';
    }

    /** What is answered even if something dies from here on. */
    public static function prepare(array $document)
    {
        self::$prepared = $document;
    }

    public static function finish()
    {
        if (!self::$isSent && self::$prepared !== null) {
            self::send(200, self::$prepared);
        } elseif (!self::$isSent) {
            $refusal = new EcsyncRefusal(500, 'internal', 'Something failed in the shop; its PHP error log says what.');
            self::send(500, $refusal->document());
        }
    }

    public static function send($status, array $document)
    {
        if (self::$isSent) {
            return;
        }
        self::$isSent = true;
        $body = self::$format === 'xml' ? EcsyncText::xml($document) : json_encode(EcsyncText::cleaned($document));
        while (ob_get_level() > 0 && @ob_end_clean()) {
            continue;
        }
        if (!headers_sent()) {
            self::sendHeaders($status, strlen($body));
        }
        echo $body;
    }

    private static function sendHeaders($status, $length)
    {
        $reasons = array(200 => 'OK', 400 => 'Bad Request', 401 => 'Unauthorized', 403 => 'Forbidden',
            404 => 'Not Found', 405 => 'Method Not Allowed', 409 => 'Conflict', 413 => 'Payload Too Large',
            500 => 'Internal Server Error', 503 => 'Service Unavailable');
        header_remove('Content-Encoding');
        header('HTTP/1.1 ' . $status . ' ' . $reasons[$status], true, $status);
        header('Content-Type: application/' . self::$format . '; charset=utf-8');
        header('Content-Length: ' . $length);
        header('Cache-Control: no-store');
        header('X-Content-Type-Options: nosniff');
    }
}

/** Text that fits JSON and XML whatever bytes the shop holds. */
class EcsyncText
{
    /** The same value with every byte that is no UTF-8 replaced by U+FFFD. */
    public static function cleaned($value)
    {
        if (is_array($value)) {
            return array_map(array('EcsyncText', 'cleaned'), $value);
        }
        return is_string($value) && !preg_match('//u', $value) ? self::replaced($value) : $value;
    }

    private static function replaced($text)
    {
        $valid = '[\x00-\x7F]|[\xC2-\xDF][\x80-\xBF]|\xE0[\xA0-\xBF][\x80-\xBF]|[\xE1-\xEC\xEE\xEF][\x80-\xBF]{2}'
            . '|\xED[\x80-\x9F][\x80-\xBF]|\xF0[\x90-\xBF][\x80-\xBF]{2}|[\xF1-\xF3][\x80-\xBF]{3}'
            . '|\xF4[\x80-\x8F][\x80-\xBF]{2}';
        preg_match_all('/' . $valid . '|(.)/s', $text, $found);
        foreach ($found[1] as $index => $bad) {
            if ($bad !== '') {
                $found[0][$index] = "\xEF\xBF\xBD";
            }
        }
        return implode('', $found[0]);
    }

    /** <ecsync> with an element for each name and <item> for each entry of a list; null carries nil="true". */
    public static function xml(array $document)
    {
        return '<?xml version="1.0" encoding="UTF-8"?>' . "\n" . self::element('ecsync', self::cleaned($document));
    }

    private static function element($name, $value)
    {
        if ($value === null) {
            return '<' . $name . ' nil="true"/>';
        }
        if (!is_array($value)) {
            $text = is_bool($value) ? ($value ? 'true' : 'false') : (string) $value;
            $text = preg_replace('/[^\x{9}\x{A}\x{D}\x{20}-\x{D7FF}\x{E000}-\x{FFFD}\x{10000}-\x{10FFFF}]/u', "\xEF\xBF\xBD", $text);
            return '<' . $name . '>' . str_replace("\r", '&#13;', htmlspecialchars($text, ENT_QUOTES, 'UTF-8')) . '</' . $name . '>';
        }
        $inner = '';
        foreach ($value as $key => $one) {
            $inner .= self::element(is_int($key) ? 'item' : $key, $one);
        }
        return '<' . $name . '>' . $inner . '</' . $name . '>';
    }

    public static function length($text)
    {
        return preg_match_all('/./us', $text, $found);
    }

    public static function trimmed($text)
    {
        $trimmed = preg_replace('/^[\s\p{Z}]+|[\s\p{Z}]+$/u', '', $text);
        return $trimmed === null ? trim($text) : $trimmed;
    }

    /** Compares in a time that does not tell how much is right. */
    public static function isSame($known, $given)
    {
        if (function_exists('hash_equals')) {
            return hash_equals($known, $given);
        }
        $known = hash('sha256', $known, true);
        $given = hash('sha256', $given, true);
        $differs = 0;
        for ($i = 0; $i < 32; $i++) {
            $differs |= ord($known[$i]) ^ ord($given[$i]);
        }
        return $differs === 0;
    }
}

/* ---- Who may ask --------------------------------------------------------------------------------------------- */

/** A request as it came: the query is taken apart here, since PHP's own $_GET renames parameters. */
class EcsyncRequest
{
    const BODY_LIMIT = 2097152;

    public $method;
    public $query = array();
    public $body = '';

    public function __construct()
    {
        $this->method = isset($_SERVER['REQUEST_METHOD']) ? $_SERVER['REQUEST_METHOD'] : 'GET';
        foreach (explode('&', isset($_SERVER['QUERY_STRING']) ? $_SERVER['QUERY_STRING'] : '') as $pair) {
            if ($pair !== '') {
                $parts = explode('=', $pair, 2);
                $this->query[] = array(urldecode($parts[0]), isset($parts[1]) ? urldecode($parts[1]) : '');
            }
        }
        EcsyncAnswer::useFormat($this->parameter('format'));
    }

    public function readBody()
    {
        $this->body = (string) file_get_contents('php://input', false, null, 0, self::BODY_LIMIT + 1);
        if (strlen($this->body) > self::BODY_LIMIT) {
            throw new EcsyncRefusal(413, 'too_large', 'The body is larger than 2 MB.');
        }
    }

    public function parameter($name, $default = '')
    {
        foreach ($this->query as $pair) {
            if ($pair[0] === $name) {
                return $pair[1];
            }
        }
        return $default;
    }

    /** A whole number from 0 up; null where the parameter is absent and has no default. */
    public function number($name, $default, $least = 0, $most = 4294967295)
    {
        $text = $this->parameter($name, null);
        if ($text === null) {
            return $default;
        }
        if (!preg_match('/^[0-9]{1,10}$/D', $text) || $text < $least || $text > $most) {
            throw EcsyncRequest::bad($name);
        }
        return (int) $text;
    }

    /** From the query, which is signed; the path counts for the simple list alone, which is not. */
    public function route()
    {
        $path = isset($_SERVER['PATH_INFO']) ? trim($_SERVER['PATH_INFO'], '/') : '';
        return $path === 'api/orders' ? $path : $this->parameter('r');
    }

    public function header($name)
    {
        $key = 'HTTP_' . strtoupper(str_replace('-', '_', $name));
        return isset($_SERVER[$key]) ? $_SERVER[$key] : '';
    }

    /** All query parameters sorted by name, in RFC 3986 form: what is signed. */
    public function canonicalQuery()
    {
        $pairs = $this->query;
        usort($pairs, array('EcsyncRequest', 'byName'));
        foreach ($pairs as $index => $pair) {
            $pairs[$index] = rawurlencode($pair[0]) . '=' . rawurlencode($pair[1]);
        }
        return implode('&', $pairs);
    }

    public static function byName($one, $other)
    {
        $order = strcmp($one[0], $other[0]);
        return $order !== 0 ? $order : strcmp($one[1], $other[1]);
    }

    public static function bad($name)
    {
        return new EcsyncRefusal(400, 'bad_request', 'The parameter or field "' . $name . '" is missing or not as it should be.');
    }
}

/** Decides whether a request is believed: transport, address, signature, clock, nonce. */
class EcsyncGate
{
    const WINDOW_S = 300;

    private $settings;
    private $request;
    private $root;

    public function __construct(array $settings, EcsyncRequest $request, $root)
    {
        $this->settings = $settings;
        $this->request = $request;
        $this->root = $root;
    }

    /** Transport and address: before anything that is secret is looked at. */
    public function admitClient()
    {
        if (!$this->isEncrypted() && !($this->settings['allow_http'] === true && $this->isThisMachine())) {
            throw new EcsyncRefusal(403, 'https_required', 'Call this address over HTTPS; where a proxy ends it, name the proxy in "trusted_proxies" of data/ecsync-config.php.');
        }
        $allowed = $this->settings['allow'];
        if ($allowed && !EcsyncAddress::isAmong($this->client(), $allowed)) {
            throw new EcsyncRefusal(403, 'address', 'This address may not call; add it to "allow" in data/ecsync-config.php.');
        }
    }

    public function admitSigned()
    {
        $key = (string) $this->settings['key'];
        if (strlen($key) < 32) {
            throw new EcsyncRefusal(503, 'not_configured', 'Put a key of at least 32 characters into data/ecsync-config.php.');
        }
        $this->request->readBody();
        $time = $this->request->header('X-Ecsync-Time');
        $nonce = $this->request->header('X-Ecsync-Nonce');
        $lines = array($this->request->method, $this->request->canonicalQuery(), $time, $nonce, hash('sha256', $this->request->body));
        $wanted = hash_hmac('sha256', implode("\n", $lines), $key);
        $isWellFormed = preg_match('/^[0-9]{1,12}$/D', $time) && preg_match('/^[A-Za-z0-9]{16,64}$/D', $nonce);
        if (!EcsyncText::isSame($wanted, $this->request->header('X-Ecsync-Sign')) || !$isWellFormed) {
            throw new EcsyncRefusal(401, 'signature', 'The signature does not fit; compare the key on both sides.');
        }
        if (abs(time() - (float) $time) > self::WINDOW_S) {
            throw new EcsyncRefusal(401, 'clock', 'The clocks differ by more than five minutes.', array('now' => time()));
        }
        $this->useUp($nonce);
    }

    public function admitBasic()
    {
        $user = (string) $this->settings['api_user'];
        $password = (string) $this->settings['api_password'];
        if ($user === '' || strlen($password) < 16) {
            $what = 'Set api_user and an api_password of at least 16 characters in data/ecsync-config.php.';
            throw new EcsyncRefusal(503, 'not_configured', $what);
        }
        if (!EcsyncText::isSame($user . ':' . $password, $this->basicCredentials())) {
            header('WWW-Authenticate: Basic realm="orders", charset="UTF-8"');
            throw new EcsyncRefusal(401, 'credentials', 'User or password is wrong.');
        }
    }

    private function basicCredentials()
    {
        if (isset($_SERVER['PHP_AUTH_USER'])) {
            return $_SERVER['PHP_AUTH_USER'] . ':' . (isset($_SERVER['PHP_AUTH_PW']) ? $_SERVER['PHP_AUTH_PW'] : '');
        }
        foreach (array('HTTP_AUTHORIZATION', 'REDIRECT_HTTP_AUTHORIZATION') as $name) {  // where PHP runs as CGI
            if (isset($_SERVER[$name]) && stripos($_SERVER[$name], 'Basic ') === 0) {
                return (string) base64_decode(substr($_SERVER[$name], 6));
            }
        }
        return '';
    }

    /** A nonce is a file that only one request can make. It outlives the window on both sides. */
    private function useUp($nonce)
    {
        $folder = $this->root . 'temp/ecsync';
        if (!is_dir($folder)) {
            @mkdir($folder, 0700, true);
            @touch($folder . '/index.html');  // nobody lists it
        }
        $file = $folder . '/' . hash('sha256', $nonce) . '.nonce';
        $made = @fopen($file, 'x');
        if (!$made && file_exists($file)) {
            throw new EcsyncRefusal(401, 'replayed', 'This request was made before; sign a new one.');
        }
        if (!$made) {
            throw new EcsyncRefusal(503, 'not_configured', 'The web server must be able to write into the folder temp/ecsync.');
        }
        fclose($made);
        $this->forgetOld($folder);
    }

    private function forgetOld($folder)
    {
        $mark = $folder . '/pruned';
        if (file_exists($mark) && filemtime($mark) > time() - 60) {
            return;
        }
        @touch($mark);
        foreach ((array) scandir($folder) as $name) {
            $isOld = preg_match('/\.(nonce|ids)$/D', $name) && @filemtime($folder . '/' . $name) < time() - 3 * self::WINDOW_S;
            if ($isOld) {
                @unlink($folder . '/' . $name);
            }
        }
    }

    private function isEncrypted()
    {
        if (!empty($_SERVER['HTTPS']) && strtolower($_SERVER['HTTPS']) !== 'off') {
            return true;
        }
        return $this->isProxied() && strtolower($this->request->header('X-Forwarded-Proto')) === 'https';
    }

    private function isProxied()
    {
        return EcsyncAddress::isAmong($this->peer(), $this->settings['trusted_proxies']);
    }

    /** Directly from this machine: a proxy that nobody told us of is not taken for it. */
    private function isThisMachine()
    {
        $isForwarded = $this->request->header('X-Forwarded-For') !== '' || $this->request->header('Forwarded') !== '';
        return !$isForwarded && !$this->isProxied() && EcsyncAddress::isAmong($this->peer(), array('127.0.0.0/8', '::1'));
    }

    private function peer()
    {
        return isset($_SERVER['REMOTE_ADDR']) ? $_SERVER['REMOTE_ADDR'] : '';
    }

    /** The address that called: behind trusted proxies, the last one that is none of them. */
    private function client()
    {
        $client = $this->peer();
        $path = array_reverse(explode(',', $this->request->header('X-Forwarded-For')));
        foreach ($path as $address) {
            if (trim($address) === '' || !EcsyncAddress::isAmong($client, $this->settings['trusted_proxies'])) {
                break;
            }
            $client = trim($address);
        }
        return $client;
    }
}

/** IPv4 and IPv6 addresses and the ranges they lie in. */
class EcsyncAddress
{
    public static function isAmong($address, array $ranges)
    {
        $bytes = self::bytes($address);
        foreach ($ranges as $range) {
            $parts = explode('/', trim($range), 2);
            $network = self::bytes($parts[0]);
            if ($bytes === '' || strlen($network) !== strlen($bytes)) {
                continue;
            }
            $bits = isset($parts[1]) ? $parts[1] : (string) (8 * strlen($bytes));
            if (ctype_digit($bits) && self::prefix($bytes, (int) $bits) === self::prefix($network, (int) $bits)) {
                return true;
            }
        }
        return false;
    }

    /** Packed, with an IPv4 address that is written as IPv6 taken back; '' for what is no address. */
    private static function bytes($address)
    {
        $packed = (string) @inet_pton($address);
        $mapped = str_repeat("\0", 10) . "\xFF\xFF";
        return strlen($packed) === 16 && strpos($packed, $mapped) === 0 ? substr($packed, 12) : $packed;
    }

    private static function prefix($bytes, $bits)
    {
        $text = '';
        foreach (str_split($bytes) as $byte) {
            $text .= sprintf('%08b', ord($byte));
        }
        return (string) substr($text, 0, $bits);
    }
}

/* ---- The shop's database ------------------------------------------------------------------------------------- */

/** What data/config.php and data/ecsync-config.php say. */
class EcsyncConfig
{
    public $root;
    public $settings;
    public $host;
    public $name;
    public $user;
    public $password;
    public $prefix;
    public $offset;

    public function __construct($root)
    {
        $this->root = $root;
        $given = is_file($root . 'data/ecsync-config.php') ? include $root . 'data/ecsync-config.php' : array();
        $this->settings = array_merge(EcsyncDefaults::all(), is_array($given) ? $given : array());
        $this->settings['allow'] = (array) $this->settings['allow'];
        $this->settings['trusted_proxies'] = (array) $this->settings['trusted_proxies'];
    }

    /** Included in here, so that none of its variables meets ours. */
    public function readShop()
    {
        $db_host = $db_name = $db_user = $db_pass = $prefix = $timezone = '';
        if (is_file($this->root . 'data/config.php')) {
            include $this->root . 'data/config.php';
        }
        if ($db_name === '' || !preg_match('/^[A-Za-z0-9_]*$/D', $prefix)) {
            throw new EcsyncRefusal(503, 'not_configured', 'data/config.php is not that of an installed ECShop; put ecsync.php next to index.php.');
        }
        $this->host = $db_host;
        $this->name = $db_name;
        $this->user = $db_user;
        $this->password = $db_pass;
        $this->prefix = $prefix;
        if ($timezone !== '') {
            @date_default_timezone_set($timezone);
        }
        $this->offset = (int) @date('Z');
    }
}

/**
 * The shop's database over mysqli or mysql. Statements are constant text: {order_info} stands for the table with the
 * shop's prefix, each ? for a value, which is escaped or cast in quoted() and nowhere else.
 */
class EcsyncDatabase
{
    const FOUND_ROWS = 2;  // an UPDATE reports the rows it found, not those whose values differed

    public $name;
    public $prefix;
    private $link;
    private $isOld;

    public function __construct(EcsyncConfig $config)
    {
        $this->name = $config->name;
        $this->prefix = $config->prefix;
        $this->isOld = !function_exists('mysqli_init');
        $this->link = $this->isOld ? $this->connectOld($config) : $this->connect($config);
        $this->write("SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'");
    }

    private function connect(EcsyncConfig $config)
    {
        mysqli_report(MYSQLI_REPORT_OFF);
        preg_match('/^(\[[^\]]+\]|[^:]*)(?::(.*))?$/D', $config->host, $part);
        $port = isset($part[2]) && ctype_digit($part[2]) ? (int) $part[2] : 0;
        $socket = isset($part[2]) && $port === 0 ? $part[2] : null;
        $link = mysqli_init();
        $link->options(MYSQLI_OPT_CONNECT_TIMEOUT, 5);
        $host = isset($part[1]) ? trim($part[1], '[]') : $config->host;
        if (!@$link->real_connect($host, $config->user, $config->password, $config->name, $port, $socket, self::FOUND_ROWS)) {
            throw $this->away();
        }
        if (!@$link->set_charset('utf8mb4')) {
            $link->set_charset('utf8');
        }
        return $link;
    }

    private function connectOld(EcsyncConfig $config)
    {
        $link = @mysql_connect($config->host, $config->user, $config->password, true, self::FOUND_ROWS);
        if (!$link || !mysql_select_db($config->name, $link)) {
            throw $this->away();
        }
        if (!mysql_set_charset('utf8mb4', $link)) {
            mysql_set_charset('utf8', $link);
        }
        return $link;
    }

    /** All rows, each by column name; whole numbers as numbers, decimals as text. */
    public function rows($sql, array $values = array())
    {
        $result = $this->run($sql, $values);
        $isWhole = $this->wholeColumns($result);
        $rows = array();
        while ($row = $this->isOld ? mysql_fetch_assoc($result) : $result->fetch_assoc()) {
            foreach ($isWhole as $column) {
                if ($row[$column] !== null && (string) (int) $row[$column] === (string) $row[$column]) {
                    $row[$column] = (int) $row[$column];
                }
            }
            $rows[] = $row;
        }
        return $rows;
    }

    private function wholeColumns($result)
    {
        $names = array();
        if ($this->isOld) {
            for ($i = 0; $i < mysql_num_fields($result); $i++) {
                if (mysql_field_type($result, $i) === 'int') {
                    $names[] = mysql_field_name($result, $i);
                }
            }
            return $names;
        }
        foreach ($result->fetch_fields() as $field) {
            if (in_array($field->type, array(1, 2, 3, 8, 9), true)) {  // TINYINT to BIGINT in the protocol
                $names[] = $field->name;
            }
        }
        return $names;
    }

    public function row($sql, array $values = array())
    {
        $rows = $this->rows($sql, $values);
        return $rows ? $rows[0] : null;
    }

    /** The first column of all rows. */
    public function column($sql, array $values = array())
    {
        return array_map('current', $this->rows($sql, $values));
    }

    public function value($sql, array $values = array())
    {
        $row = $this->row($sql, $values);
        return $row ? reset($row) : null;
    }

    /** Runs an INSERT or UPDATE; gives the number of rows that its condition found. */
    public function write($sql, array $values = array())
    {
        $this->run($sql, $values);
        return $this->isOld ? mysql_affected_rows($this->link) : $this->link->affected_rows;
    }

    /** Does the work alone on this order among all of ecsync's writers, and in a transaction where tables know them. */
    public function alone($order_id, $work)
    {
        $lock = 'ecsync-' . substr(hash('sha256', $this->name . ':' . $order_id), 0, 32);
        if ((string) $this->value('SELECT GET_LOCK(?, 10)', array($lock)) !== '1') {
            throw new EcsyncRefusal(503, 'locked', 'Another writer holds this order; try again.');
        }
        $this->write('START TRANSACTION');
        $document = call_user_func($work);  // whatever it throws ends the request, and with it connection and lock
        $this->write('COMMIT');
        $this->value('SELECT RELEASE_LOCK(?)', array($lock));
        return $document;
    }

    public function close()
    {
        $this->isOld ? mysql_close($this->link) : $this->link->close();
    }

    private function run($sql, array $values)
    {
        $bound = $this->bound($sql, $values);
        $result = $this->isOld ? @mysql_query($bound, $this->link) : @$this->link->query($bound);
        if ($result === false) {
            $number = $this->isOld ? mysql_errno($this->link) : $this->link->errno;
            throw $this->refused($number);
        }
        return $result;
    }

    private function bound($sql, array $values)
    {
        $parts = explode('?', str_replace(array('{', '}'), array('`' . $this->prefix, '`'), $sql));
        $bound = array_shift($parts);
        foreach ($parts as $index => $part) {
            $bound .= $this->quoted($values[$index]) . $part;
        }
        return $bound;
    }

    /** The one place where a value becomes SQL. */
    private function quoted($value)
    {
        if ($value === null) {
            return 'NULL';
        }
        if (is_int($value)) {
            return (string) $value;
        }
        if (is_array($value)) {
            return '(' . ($value ? implode(', ', array_map(array($this, 'quoted'), $value)) : 'NULL') . ')';
        }
        $text = (string) $value;
        return "'" . ($this->isOld ? mysql_real_escape_string($text, $this->link) : $this->link->real_escape_string($text)) . "'";
    }

    private function away()
    {
        return new EcsyncRefusal(503, 'database_away', "The shop's database does not answer, or not to the account of data/config.php.");
    }

    /** Gone, busy, deadlocked: all writes may be repeated. Anything else needs a person. */
    private function refused($number)
    {
        $away = array(1020, 1040, 1053, 1158, 1159, 1160, 1161, 1205, 1213, 1927, 2002, 2003, 2005, 2006, 2013, 2055, 3024, 4031);
        if (in_array($number, $away, true)) {
            return $this->away();
        }
        $missing = array(1049 => 'a database', 1054 => 'a column', 1146 => 'a table');
        $what = isset($missing[$number]) ? $missing[$number] . ' is missing' : 'it refused a statement';
        if (in_array($number, array(1142, 1143, 1227, 1290, 1370, 1792, 1836), true)) {
            $what = 'the account may not write';
        }
        return new EcsyncRefusal(500, 'database_refused', "The shop's database: " . $what . ' (error ' . $number . ').');
    }
}

/* ---- Reading ------------------------------------------------------------------------------------------------- */

/** What ECShop's numbers mean, and what an order's rows say of it. */
class EcsyncState
{
    public static $COD_NAMES = array('货到付款', '貨到付款');  // the mobile API's cash on delivery has no row in payment
    public static $OPEN_ORDER = array(1, 5, 6);
    public static $OPEN_SHIPPING = array(0, 3, 4, 5, 6);

    public static function paidStates($accept_paying)
    {
        return $accept_paying ? array(2, 1) : array(2);
    }

    /** 'owed', 'shipped' or 'withdrawn'. */
    public static function standing(array $order, $is_payable, $is_nothing_left)
    {
        if (in_array($order['order_status'], array(2, 3, 4), true)) {
            return 'withdrawn';
        }
        if (in_array($order['shipping_status'], array(1, 2), true)) {
            return 'shipped';
        }
        if (!$is_payable) {
            return 'withdrawn';
        }
        return in_array($order['shipping_status'], array(4, 6), true) && $is_nothing_left ? 'shipped' : 'owed';
    }

    /** A line that is packed: not virtual, and not the goods_id 0 line of a discount. */
    public static function isReal(array $line)
    {
        return $line['is_real'] === 1 && $line['goods_id'] > 0;
    }

    public static function isPackage(array $line)
    {
        return $line['extension_code'] === 'package_buy';
    }

    public static function key(array $line)
    {
        return $line['goods_id'] . ':' . (int) $line['product_id'];
    }

    /** The real lines of one goods and product that are no package. */
    public static function plain(array $lines, $key)
    {
        $found = array();
        foreach ($lines as $line) {
            if (self::isReal($line) && !self::isPackage($line) && self::key($line) === $key) {
                $found[] = $line;
            }
        }
        return $found;
    }

    /** How many of each goods and product stand on these notes: plainly ($package 0), or as parts of a package. */
    public static function noted(array $notes, $package)
    {
        $noted = array();
        foreach ($notes as $note) {
            foreach ($note['goods'] as $item) {
                $isPart = self::isPackage($item) && $item['parent_id'] === $package;
                if ($package ? $isPart : self::isReal($item) && !self::isPackage($item)) {
                    $key = self::key($item);
                    $noted[$key] = (isset($noted[$key]) ? $noted[$key] : 0) + $item['send_number'];
                }
            }
        }
        return $noted;
    }

    public static function isAllSplit(array $lines)
    {
        foreach ($lines as $line) {
            if (self::isReal($line) && $line['goods_number'] > $line['send_number']) {
                return false;
            }
        }
        return true;
    }

    public static function hasOpenNote(array $notes)
    {
        foreach ($notes as $note) {
            if ($note['status'] === 2) {
                return true;
            }
        }
        return false;
    }

    /** The numbers of an invoice_no, in capitals; ECShop joins them with a literal <br>. */
    public static function numbers($invoice_no)
    {
        $numbers = array();
        foreach (explode('<br>', str_replace(',', '<br>', (string) $invoice_no)) as $part) {
            $part = EcsyncText::trimmed($part);
            if ($part !== '') {
                $numbers[] = strtoupper($part);
            }
        }
        return $numbers;
    }
}

/** Ids that are slow to find, kept for ten minutes in a file whose name only the key's holder could guess. */
class EcsyncMemory
{
    const KEPT_S = 600;

    private $file;

    public function __construct(EcsyncConfig $config, $what)
    {
        $name = hash_hmac('sha256', $config->name . ' ' . $config->prefix . ' ' . $what, (string) $config->settings['key']);
        $this->file = $config->root . 'temp/ecsync/' . $name . '.ids';
    }

    public function recall()
    {
        $isFresh = is_file($this->file) && filemtime($this->file) > time() - self::KEPT_S;
        $ids = $isFresh ? json_decode((string) @file_get_contents($this->file), true) : null;
        return is_array($ids) ? $ids : null;
    }

    public function keep(array $ids)
    {
        @file_put_contents($this->file, json_encode($ids), LOCK_EX);  // without it the next request looks again
    }
}

/** Reads orders with all that belongs to them, in the same number of statements however many they are. */
class EcsyncReader
{
    const ORDER = 'order_id, order_sn, user_id, order_status, shipping_status, pay_status, consignee, country, province,
        city, district, address, zipcode, tel, mobile, email, postscript, to_buyer, shipping_id, shipping_name, pay_id,
        pay_name, add_time, pay_time, invoice_no, extension_code, extension_id, goods_amount, shipping_fee, insure_fee,
        pay_fee, pack_fee, card_fee, money_paid, surplus, order_amount, tax, discount';
    const LINE = 'rec_id, order_id, goods_id, goods_name, goods_sn, product_id, goods_number, goods_price, goods_attr,
        send_number, is_real, extension_code, is_gift';
    const NOTE = 'delivery_id, delivery_sn, order_id, invoice_no, update_time, status';
    const NOTED = 'rec_id, delivery_id, goods_id, product_id, product_sn, goods_name, goods_sn, is_real, extension_code,
        parent_id, send_number, goods_attr';

    private $db;

    public function __construct(EcsyncDatabase $db)
    {
        $this->db = $db;
    }

    /**
     * The ids of open orders after one: by state, since times of ECShop tell nothing. One short statement for each pair
     * of states: order_info has an index on each alone, which the server intersects for two values but not for lists.
     */
    public function openIds($after, $accept_paying, $floor, EcsyncMemory $memory)
    {
        $values = array(EcsyncState::paidStates($accept_paying), $this->codPayIds(), EcsyncState::$COD_NAMES, $floor, $after);
        $unusual = $memory->recall();
        if ($unusual === null) {
            $unusual = $this->inStates(true, array_merge(array_slice($values, 0, 4), array(0)));
            $memory->keep($unusual);
        }
        $ids = $this->inStates(false, $values);
        if ($unusual) {
            $still = 'o.order_id IN ? AND o.order_status IN ? AND o.shipping_status IN ?';
            $states = array($unusual, array_merge(array(0), EcsyncState::$OPEN_ORDER), EcsyncState::$OPEN_SHIPPING);
            $ids = array_merge($ids, $this->db->column($this->openSql($still), array_merge($states, $values)));
        }
        $ids = array_unique($ids);
        sort($ids);
        return $ids;
    }

    /**
     * The ids of open orders in the usual states, or in those that no page of ECShop leaves: paid but not confirmed,
     * split but on no note. Their indexes do not help, so a long history makes them slow to find.
     */
    private function inStates($is_unusual, array $values)
    {
        $sql = $this->openSql('o.order_status = ? AND o.shipping_status = ?');
        $ids = array();
        foreach (array(0, 1, 5, 6) as $order_status) {
            foreach (EcsyncState::$OPEN_SHIPPING as $shipping_status) {
                if ($is_unusual === ($order_status === 0 || ($order_status > 1 && $shipping_status === 0))) {
                    $found = $this->db->column($sql, array_merge(array($order_status, $shipping_status), $values));
                    $ids = array_merge($ids, $found);
                }
            }
        }
        return $ids;
    }

    /** Subqueries that give a value stand for EXISTS, which would let the server read the other table whole instead. */
    private function openSql($condition)
    {
        $unsent = '(SELECT l.rec_id FROM {order_goods} l WHERE l.order_id = o.order_id AND l.is_real = 1 AND l.goods_id > 0'
            . ' AND l.goods_number > l.send_number LIMIT 1) IS NOT NULL';
        $openNote = '(SELECT n.delivery_id FROM {delivery_order} n WHERE n.order_id = o.order_id AND n.status = 2'
            . " AND (n.invoice_no IS NULL OR n.invoice_no = '') LIMIT 1) IS NOT NULL";
        $noLines = 'o.shipping_status IN (0, 3) AND (SELECT l.rec_id FROM {order_goods} l WHERE l.order_id = o.order_id LIMIT 1)'
            . ' IS NULL';
        return "SELECT o.order_id FROM {order_info} o WHERE $condition"
            . ' AND (o.pay_status IN ? OR (o.order_status <> 0 AND (o.pay_id IN ? OR o.pay_name IN ?)))'
            . " AND ($unsent OR $openNote OR ($noLines)) AND o.add_time >= ? AND o.order_id > ?";
    }

    public function byIds(array $ids)
    {
        return $this->in('order_info', self::ORDER, 'order_id', $ids, 'order_id');
    }

    public function idOf($order_sn)
    {
        return $this->db->value('SELECT order_id FROM {order_info} WHERE order_sn = ?', array($order_sn));
    }

    public function codPayIds()
    {
        return $this->db->column('SELECT pay_id FROM {payment} WHERE is_cod = 1');
    }

    public function lines(array $ids)
    {
        return $this->in('order_goods', self::LINE, 'order_id', $ids, 'rec_id');
    }

    /** The live notes (open or shipped), each with its goods where they are wanted. */
    public function notes(array $ids, $with_goods)
    {
        $notes = $ids ? $this->db->rows('SELECT ' . self::NOTE . ' FROM {delivery_order} WHERE order_id IN ?'
            . ' AND status IN (0, 2) ORDER BY delivery_id', array($ids)) : array();
        $note_ids = $with_goods ? self::each($notes, 'delivery_id') : array();
        $goods = self::grouped($this->in('delivery_goods', self::NOTED, 'delivery_id', $note_ids, 'rec_id'), 'delivery_id');
        foreach ($notes as $index => $note) {
            $id = $note['delivery_id'];
            $notes[$index]['goods'] = isset($goods[$id]) ? $goods[$id] : array();
        }
        return $notes;
    }

    public function parts(array $package_ids)
    {
        return $this->in('package_goods', 'package_id, goods_id, product_id, goods_number', 'package_id', $package_ids, 'goods_id');
    }

    /** The document that r=orders and r=order answer. */
    public function gather(array $orders, $next)
    {
        $ids = self::each($orders, 'order_id');
        $lines = $this->lines($ids);
        $notes = $this->notes($ids, true);
        $document = array('orders' => self::assembled($orders, $lines, $notes)) + $this->catalogue($lines, $notes);
        $document += $this->places($orders);
        $document['shippings'] = $this->db->rows('SELECT shipping_id, shipping_code FROM {shipping} ORDER BY shipping_id');
        $document['cod_pay_ids'] = $this->codPayIds();
        $document['settled_group_buys'] = $this->settledGroupBuys($orders);
        $document['next'] = $next;
        return $document;
    }

    private static function assembled(array $orders, array $lines, array $notes)
    {
        $lines = self::grouped($lines, 'order_id');
        $notes = self::grouped($notes, 'order_id');
        $found = array();
        foreach ($orders as $order) {
            $id = $order['order_id'];
            $found[] = array('order' => $order, 'lines' => isset($lines[$id]) ? $lines[$id] : array(),
                'notes' => isset($notes[$id]) ? $notes[$id] : array());
        }
        return $found;
    }

    /** The goods, products and packages that lines and notes name; a package's goods_id is no goods. */
    private function catalogue(array $lines, array $notes)
    {
        $package_ids = array();
        $things = array();
        foreach ($lines as $line) {
            if (EcsyncState::isPackage($line)) {
                $package_ids[] = $line['goods_id'];
            } else {
                $things[] = $line;
            }
        }
        $parts = $this->parts($package_ids);
        foreach ($notes as $note) {
            $things = array_merge($things, $note['goods']);
        }
        $things = array_merge($things, $parts);
        $goods_ids = self::each($things, 'goods_id');
        $goods = 'SELECT g.goods_id, g.goods_sn, g.goods_name, g.goods_weight, g.shop_price, b.brand_name FROM {goods} g'
            . ' LEFT JOIN {brand} b ON b.brand_id = g.brand_id WHERE g.goods_id IN ? ORDER BY g.goods_id';
        return array(
            'goods' => $goods_ids ? $this->db->rows($goods, array($goods_ids)) : array(),
            'products' => $this->in('products', 'product_id, product_sn', 'product_id', self::each($things, 'product_id'), 'product_id'),
            'packages' => $parts,
        );
    }

    private function places(array $orders)
    {
        $ids = array_merge(self::each($orders, 'province'), self::each($orders, 'city'), self::each($orders, 'district'));
        $cities = self::each($orders, 'city');
        $with = 'SELECT DISTINCT parent_id FROM {region} WHERE parent_id IN ? ORDER BY parent_id';
        return array(
            'regions' => $this->in('region', 'region_id, region_name', 'region_id', array_unique($ids), 'region_id'),
            'cities_with_districts' => $cities ? $this->db->column($with, array($cities)) : array(),
        );
    }

    private function settledGroupBuys(array $orders)
    {
        $ids = array();
        foreach ($orders as $order) {
            if ($order['extension_code'] === 'group_buy') {
                $ids[] = $order['extension_id'];
            }
        }
        $settled = 'SELECT act_id FROM {goods_activity} WHERE act_id IN ? AND is_finished = 3 ORDER BY act_id';
        return $ids ? $this->db->column($settled, array($ids)) : array();
    }

    private function in($table, $columns, $key, array $ids, $order_by)
    {
        $sql = 'SELECT ' . $columns . ' FROM {' . $table . '} WHERE ' . $key . ' IN ? ORDER BY ' . $order_by;
        return $ids ? $this->db->rows($sql, array(array_values(array_unique($ids)))) : array();
    }

    /** The values of a column that are not 0 or NULL, each once. */
    public static function each(array $rows, $column)
    {
        $values = array();
        foreach ($rows as $row) {
            if ($row[$column]) {
                $values[$row[$column]] = $row[$column];
            }
        }
        return array_values($values);
    }

    public static function grouped(array $rows, $column)
    {
        $groups = array();
        foreach ($rows as $row) {
            $groups[$row[$column]][] = $row;
        }
        return $groups;
    }
}

/* ---- Writing ------------------------------------------------------------------------------------------------- */

/** The fields of a JSON body, each checked where it is taken out. */
class EcsyncBody
{
    private $fields;

    public function __construct($fields)
    {
        if (!is_array($fields)) {
            throw new EcsyncRefusal(400, 'bad_request', 'The body is no JSON object, or a list in it holds something else.');
        }
        $this->fields = $fields;
    }

    public function number($name, $least, $most, $default = null)
    {
        $value = isset($this->fields[$name]) ? $this->fields[$name] : $default;
        if (!is_int($value) || $value < $least || $value > $most) {
            throw EcsyncRequest::bad($name);
        }
        return $value;
    }

    public function text($name, $most, $default = null, $pattern = '//')
    {
        $value = isset($this->fields[$name]) ? $this->fields[$name] : $default;
        if (!is_string($value) || EcsyncText::length($value) > $most || !preg_match($pattern, $value)) {
            throw EcsyncRequest::bad($name);
        }
        return $value;
    }

    public function isNull($name)
    {
        return !isset($this->fields[$name]);
    }

    /** The objects of a list, each as a body of its own. */
    public function objects($name, $most)
    {
        $list = isset($this->fields[$name]) ? $this->fields[$name] : array();
        if (!is_array($list) || count($list) > $most) {
            throw EcsyncRequest::bad($name);
        }
        $objects = array();
        foreach (array_values($list) as $one) {
            $objects[] = new EcsyncBody($one);
        }
        return $objects;
    }
}

/** The statements of a write-back. Each is conditional or harmless to repeat; none deletes. */
class EcsyncOrder
{
    const JUDGED = 'order_id, order_sn, user_id, order_status, shipping_status, pay_status, pay_id, pay_name, add_time,
        invoice_no, extension_code, extension_id, goods_amount';
    const COPIED = 'order_sn, order_id, add_time, shipping_id, shipping_name, user_id, consignee, country, province, city,
        district, sign_building, email, zipcode, tel, mobile, best_time, postscript, how_oos, insure_fee, shipping_fee,
        agency_id';

    public $id;
    public $accept_paying;
    private $db;
    private $reader;
    private $user;
    private $now;

    public function __construct(EcsyncDatabase $db, EcsyncBody $body, $stored_now)
    {
        $this->db = $db;
        $this->reader = new EcsyncReader($db);
        $this->id = $body->number('order_id', 1, 4294967295);
        $this->user = $body->text('action_user', 30, 'ecsync', '/./');
        $this->accept_paying = $body->number('accept_paying', 0, 1, 0);
        $this->now = $body->number('now_stored', 1, 4294967295, $stored_now);
    }

    /** The order's row, locked where the engine has row locks: before any plain read, which would fix a snapshot. */
    public function locked()
    {
        return $this->found($this->db->row('SELECT ' . self::JUDGED . ' FROM {order_info} WHERE order_id = ? FOR UPDATE', array($this->id)));
    }

    public function read()
    {
        return $this->found($this->db->row('SELECT ' . self::JUDGED . ' FROM {order_info} WHERE order_id = ?', array($this->id)));
    }

    private function found($order)
    {
        if ($order === null) {
            throw new EcsyncRefusal(404, 'order_gone', 'Order ' . $this->id . ' was removed or merged in the shop.');
        }
        return $order;
    }

    public function lines()
    {
        return $this->reader->lines(array($this->id));
    }

    public function notes($with_goods = true)
    {
        return $this->reader->notes(array($this->id), $with_goods);
    }

    public function parts($package)
    {
        return $this->reader->parts(array($package));
    }

    /** The same row, unless the order is cancelled, returned, unpaid or not confirmed. */
    public function owed(array $order)
    {
        $lines = $this->lines();
        $standing = $this->standing($order, $lines, $this->notes(false));
        if ($standing === 'withdrawn' || $order['order_status'] === 0) {
            throw $this->refusal('order_withdrawn', 'was cancelled, returned or unpaid, or is not confirmed');
        }
        return $order;
    }

    public function standing(array $order, array $lines, array $notes)
    {
        $isNothingLeft = EcsyncState::isAllSplit($lines) && !EcsyncState::hasOpenNote($notes);
        return EcsyncState::standing($order, $this->isPayable($order), $isNothingLeft);
    }

    private function isPayable(array $order)
    {
        if (in_array($order['pay_status'], EcsyncState::paidStates($this->accept_paying), true)) {
            return true;
        }
        $isCod = in_array($order['pay_id'], $this->reader->codPayIds(), true)
            || in_array(EcsyncText::trimmed($order['pay_name']), EcsyncState::$COD_NAMES, true);
        return $order['order_status'] !== 0 && $isCod;
    }

    public function actionNotes($place)
    {
        return $this->db->column('SELECT action_note FROM {order_action} WHERE order_id = ? AND action_place = ?', array($this->id, $place));
    }

    /** Whether the log says this of the number already: the last statement of a write, so its completion. */
    public function hasAction($number, $place)
    {
        foreach ($this->actionNotes($place) as $note) {
            $words = preg_split('/\s+/', trim($note));
            if (end($words) === $number) {
                return true;
            }
        }
        return false;
    }

    /** The states that the log's last row shows, or null. */
    public function lastAction()
    {
        $row = $this->db->row('SELECT order_status, shipping_status FROM {order_action} WHERE order_id = ?'
            . ' ORDER BY action_id DESC LIMIT 1', array($this->id));
        return $row ? array_values($row) : null;
    }

    public function addAction(array $state, $pay_status, $place, $note)
    {
        $this->db->write('INSERT INTO {order_action} (order_id, action_user, order_status, shipping_status, pay_status,'
            . ' action_place, action_note, log_time) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
            array($this->id, $this->user, $state[0], $state[1], $pay_status, $place, $note, $this->now));
    }

    public function setPreparing()
    {
        return $this->update('shipping_status = 3', array(), 'shipping_status = 0 AND order_status = 1 AND (pay_status IN ?'
            . ' OR pay_id IN (SELECT pay_id FROM {payment} WHERE is_cod = 1) OR pay_name IN ?)',
            array(EcsyncState::paidStates($this->accept_paying), EcsyncState::$COD_NAMES));
    }

    public function setState(array $state)
    {
        $this->mustMatch($this->update('order_status = ?, shipping_status = ?', $state, $this->isOpen(), $this->openStates()));
    }

    /** The state, time and numbers after a note shipped, if invoice_no still is what it was judged by. */
    public function setShipped(array $state, $shipped_at, $old_numbers, $numbers)
    {
        $values = array($state[0], $state[1], $shipped_at, $numbers);
        $this->mustMatch($this->update('order_status = ?, shipping_status = ?, shipping_time = ?, invoice_no = ?', $values,
            $this->isOpen() . ' AND invoice_no = ?', array_merge($this->openStates(), array($old_numbers))));
    }

    public function setReceived()
    {
        $this->mustMatch($this->update('shipping_status = 2', array(), 'shipping_status = 1 AND order_status IN ?', array(EcsyncState::$OPEN_ORDER)));
    }

    private function update($assignments, array $values, $condition, array $bound)
    {
        if ($this->db->rows("SHOW COLUMNS FROM {order_info} LIKE 'lastmodify'")) {
            $assignments .= ', lastmodify = ?';
            $values[] = $this->now;
        }
        $values[] = $this->id;
        $sql = 'UPDATE {order_info} SET ' . $assignments . ' WHERE order_id = ? AND ' . $condition;
        return $this->db->write($sql, array_merge($values, $bound)) === 1;
    }

    private function isOpen()
    {
        return 'order_status IN ? AND shipping_status IN ?';
    }

    private function openStates()
    {
        return array(EcsyncState::$OPEN_ORDER, EcsyncState::$OPEN_SHIPPING);
    }

    /** The delivery note with its number, copied from the order inside the database, once. */
    public function insertNote($delivery_sn, $number)
    {
        $this->db->write('INSERT INTO {delivery_order} (' . self::COPIED . ', delivery_sn, invoice_no, action_user, address,'
            . ' update_time, suppliers_id, status) SELECT ' . self::COPIED . ', ?, ?, ?, SUBSTR(address, 1, 250), ?, 0, 2'
            . ' FROM {order_info} WHERE order_id = ? AND ' . $this->isOpen()
            . ' AND NOT EXISTS (SELECT 1 FROM {delivery_order} n WHERE n.order_id = ? AND n.delivery_sn = ?)',
            array_merge(array($delivery_sn, $number, $this->user, $this->now, $this->id), $this->openStates(), array($this->id, $delivery_sn)));
    }

    public function insertItem($note_id, array $item)
    {
        $this->db->write('INSERT INTO {delivery_goods} (delivery_id, goods_id, product_id, product_sn, goods_name, brand_name,'
            . ' goods_sn, is_real, extension_code, parent_id, send_number, goods_attr) VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?)',
            array($note_id, $item['goods_id'], $item['product_id'], $item['product_sn'], $item['goods_name'], $item['brand_name'],
                $item['goods_sn'], $item['extension_code'], $item['parent_id'], $item['send_number'], $item['goods_attr']));
    }

    public function raiseSent(array $raise)
    {
        $this->mustMatch(1 === $this->db->write('UPDATE {order_goods} SET send_number = ? WHERE rec_id = ? AND order_id = ?'
            . ' AND send_number = ? AND goods_number >= ?',
            array($raise['after'], $raise['rec_id'], $this->id, $raise['before'], $raise['after'])));
    }

    /** Gives a note that staff made its number, if it has none and is unshipped. */
    public function putNumber($note_id, $number)
    {
        $done = $this->db->write('UPDATE {delivery_order} SET invoice_no = ? WHERE delivery_id = ? AND order_id = ? AND status = 2'
            . " AND (invoice_no IS NULL OR invoice_no = '')", array($number, $note_id, $this->id));
        if ($done !== 1) {
            throw $this->refusal('note_taken', 'has a delivery note that was shipped or numbered by somebody else');
        }
    }

    /** Open to shipped, and the stock with it in the same statement: MyISAM has nothing else that is atomic. */
    public function shipNote(array $note, $keep_stock)
    {
        $tables = array('{delivery_order} n');
        $assignments = array('n.status = 0');
        $conditions = array('n.delivery_id = ? AND n.status = 2');
        $values = array();
        $bound = array($note['delivery_id']);
        foreach ($keep_stock && $this->takesStock() ? $this->taken($note) : array() as $part) {
            list($table, $key, $column, $taken) = $part;
            $ids = array_keys($taken);
            $isThere = $ids && $this->db->row('SELECT ' . $key . ' FROM {' . $table . '} WHERE ' . $key . ' IN ? LIMIT 1', array($ids));
            if (!$isThere) {
                continue;  // goods deleted from the catalogue must not keep the note from being shipped
            }
            $case = 'CASE ' . $table . '.' . $key . str_repeat(' WHEN ? THEN ?', count($taken)) . ' END';
            $pairs = array();
            foreach ($taken as $id => $quantity) {
                array_push($pairs, $id, $quantity);
            }
            $stock = $table . '.' . $column;
            $tables[] = '{' . $table . '} ' . $table;
            $assignments[] = "$stock = CASE WHEN $stock > $case THEN $stock - $case ELSE 0 END";
            $conditions[] = $table . '.' . $key . ' IN ?';
            $values = array_merge($values, $pairs, $pairs);
            $bound[] = $ids;
        }
        $this->db->write('UPDATE ' . implode(', ', $tables) . ' SET ' . implode(', ', $assignments)
            . ' WHERE ' . implode(' AND ', $conditions), array_merge($values, $bound));
    }

    /** How many of each goods and product a note takes; ECShop's own sum forgets goods beside ones with products. */
    private function taken(array $note)
    {
        $goods = $products = array();
        foreach ($note['goods'] as $item) {
            if (EcsyncState::isReal($item)) {
                $id = $item['goods_id'];
                $goods[$id] = (isset($goods[$id]) ? $goods[$id] : 0) + $item['send_number'];
                $id = (int) $item['product_id'];
                if ($id) {
                    $products[$id] = (isset($products[$id]) ? $products[$id] : 0) + $item['send_number'];
                }
            }
        }
        return array(array('goods', 'goods_id', 'goods_number', $goods), array('products', 'product_id', 'product_number', $products));
    }

    /** Whether ECShop's admin would subtract stock at shipping. */
    private function takesStock()
    {
        $rules = EcsyncStock::rules($this->db);
        return $rules['use_storage'] === '1' && $rules['stock_dec_time'] === '0';
    }

    public function grantPoints(array $order)
    {
        $points = new EcsyncPoints($this->db);
        $points->grant($order, $this->now);
    }

    public function mustMatch($is_matched)
    {
        if (!$is_matched) {
            throw $this->refusal('moved', 'was changed meanwhile; read it again and repeat');
        }
    }

    public function refusal($word, $what)
    {
        return new EcsyncRefusal(409, $word, 'Order ' . $this->id . ' ' . $what . '.');
    }

    public function now()
    {
        return $this->now;
    }
}

/**
 * A member's points for an order that is fully shipped, once. First a log row without points and without a time, which
 * ECShop shows as nothing; then one statement that gives both the row and the member's sums their points.
 */
class EcsyncPoints
{
    const MOST = 8388607;  // account_log holds a mediumint

    private $db;

    public function __construct(EcsyncDatabase $db)
    {
        $this->db = $db;
    }

    public function grant(array $order, $now)
    {
        $member = $order['user_id'];
        $isThere = $member && $this->db->row('SELECT user_id FROM {users} WHERE user_id = ? FOR UPDATE', array($member));
        if (!$isThere) {
            return;
        }
        $granted = '订单 ' . $order['order_sn'] . ' 赠送的积分';
        $takenBack = '由于退货或未发货操作，退回订单 ' . $order['order_sn'] . ' 赠送的积分';
        $said = '(SELECT COUNT(*) FROM {account_log} a WHERE a.user_id = ? AND a.change_desc = ?)';
        $this->db->write('INSERT INTO {account_log} (user_id, rank_points, pay_points, user_money, frozen_money, change_time,'
            . ' change_desc, change_type) SELECT u.user_id, 0, 0, 0, 0, 0, ?, 99 FROM {users} u WHERE u.user_id = ? AND '
            . $said . ' <= ' . $said, array($granted, $member, $member, $granted, $member, $takenBack));
        list($rank, $pay) = $order['extension_code'] === 'group_buy' ? $this->ofGroupBuy($order) : $this->ofLines($order);
        $this->db->write('UPDATE {account_log} a, {users} u SET a.rank_points = ?, a.pay_points = ?, a.change_time = ?,'
            . ' u.rank_points = u.rank_points + ?, u.pay_points = u.pay_points + ?'
            . ' WHERE a.user_id = ? AND a.change_desc = ? AND a.change_time = 0 AND u.user_id = a.user_id',
            array($rank, $pay, $now, $rank, $pay, $member, $granted));
    }

    /** As includes/lib_order.php integral_to_give(); -1 stands for the price. Packages, gifts and accessories give none. */
    private function ofLines(array $order)
    {
        $worth = 'FLOOR(GREATEST(0, COALESCE(SUM(l.goods_number * IF(g.%1$s > -1, g.%1$s, l.goods_price)), 0)))';
        $row = $this->db->row('SELECT ' . sprintf($worth, 'rank_integral') . ' AS for_rank, ' . sprintf($worth, 'give_integral')
            . ' AS to_pay FROM {order_goods} l, {goods} g WHERE g.goods_id = l.goods_id AND l.order_id = ? AND l.goods_id > 0'
            . " AND l.parent_id = 0 AND l.is_gift = 0 AND l.extension_code <> 'package_buy'", array($order['order_id']));
        return array(min((int) $row['for_rank'], self::MOST), min((int) $row['to_pay'], self::MOST));
    }

    /** What its campaign gives, and the order's amount for the grade. */
    private function ofGroupBuy(array $order)
    {
        $campaign = $this->db->value('SELECT ext_info FROM {goods_activity} WHERE act_id = ?', array($order['extension_id']));
        preg_match('/s:13:"gift_integral";(?:s:\d+:"|[id]:)(\d+)/', (string) $campaign, $found);
        return array(min((int) $order['goods_amount'], self::MOST), $found ? min((int) $found[1], self::MOST) : 0);
    }
}

/** The stages of r=ship. The delivery note carries its number from its first statement, so that it is found again. */
class EcsyncStages
{
    const IN_ORDER = 0;
    const IN_DELIVERY = 1;

    /** What the shop's own functions are to do after the answer is certain; null when nothing. */
    public $afterwards = null;

    private $order;
    private $body;
    private $offset;
    private $number;
    private $items = array();
    private $raises = array();

    public function __construct(EcsyncOrder $order, EcsyncBody $body, $offset)
    {
        $this->order = $order;
        $this->body = $body;
        $this->offset = $offset;
    }

    public static function names()
    {
        return array('claim', 'note', 'shipped', 'received', 'remark');
    }

    public function claim()
    {
        $order = $this->order->owed($this->order->locked());
        $claimed = array(1, 3);
        $state = array($order['order_status'], $order['shipping_status']);
        if ($order['shipping_status'] === 0) {
            if ($this->order->setPreparing()) {
                $state = $claimed;
            } else {
                $order = $this->order->owed($this->order->read());
                $state = array($order['order_status'], $order['shipping_status']);
            }
        }
        if ($state === $claimed && $this->order->lastAction() !== $claimed) {
            $this->order->addAction($claimed, $order['pay_status'], self::IN_ORDER, $this->body->text('action_user', 30, 'ecsync'));
        }
        return array('done' => true);
    }

    public function note()
    {
        $this->readParcel();
        $this->order->owed($this->order->locked());
        $note = $this->madeNote($this->order->notes());
        return array('done' => true, 'note_id' => $note ? $note['delivery_id'] : $this->make());
    }

    public function shipped()
    {
        $this->readParcel();
        $locked = $this->order->locked();
        if ($this->order->hasAction($this->number, self::IN_DELIVERY)) {
            $note = $this->noteWithNumber($this->order->notes(false));
            return array('done' => true, 'note_id' => $note ? $note['delivery_id'] : 0);
        }
        $order = $this->order->owed($locked);
        $this->joined($order['invoice_no']);  // no room: refuse before anything is written
        $note = $this->madeNote($this->order->notes());
        if (!$note) {
            $this->make();
            $note = $this->noteWithNumber($this->order->notes());
            $this->order->mustMatch((bool) $note);
        }
        if ($note['status'] === 2) {
            $this->order->shipNote($note, $this->body->number('keep_stock', 0, 1, 1));
        }
        $this->showShipped($this->order->owed($this->order->read()));
        return array('done' => true, 'note_id' => $note['delivery_id']);
    }

    private function showShipped(array $order)
    {
        $lines = $this->order->lines();
        $isDone = EcsyncState::isAllSplit($lines) && !EcsyncState::hasOpenNote($this->order->notes(false));
        $state = array(EcsyncState::isAllSplit($lines) ? 5 : 6, $isDone ? 1 : 4);
        $isShown = in_array($order['shipping_status'], array(1, 2), true);  // by staff, or by us before we were cut off
        if (!$isShown) {
            $default = $this->order->now() + $this->offset;
            $shipped_at = $this->body->number('shipped_at', 1, 4294967295, $default) - $this->offset;
            $this->order->setShipped($state, $shipped_at, $order['invoice_no'], $this->joined($order['invoice_no']));
        }
        if ($isDone && $this->body->number('grant_points', 0, 1, 1)) {
            $this->order->grantPoints($order);
        }
        // ECShop logs the constant "confirmed" here, whatever the order's own status is
        $this->order->addAction(array(1, $state[1]), $order['pay_status'], self::IN_DELIVERY, $this->logNote());
        $this->afterwards = array('order_id' => $order['order_id'], 'user_id' => $order['user_id'], 'is_full' => $isDone && !$isShown);
    }

    public function received()
    {
        $order = $this->order->locked();
        if ($order['shipping_status'] === 1 && in_array($order['order_status'], EcsyncState::$OPEN_ORDER, true)) {
            $this->order->setReceived();
        } else {
            $last = $this->order->lastAction();
            if ($order['shipping_status'] !== 2 || ($last && $last[1] === 2)) {
                return array('done' => true);
            }
        }
        $this->order->addAction(array($order['order_status'], 2), $order['pay_status'], self::IN_ORDER, '');
        return array('done' => true);
    }

    /** One line that ends like a sentence, never with a waybill number: by that the log says that a parcel is complete. */
    public function remark()
    {
        $text = EcsyncText::trimmed(preg_replace('/[\s\p{Z}]+/u', ' ', $this->body->text('text', 4000, null, '/\S/')));
        preg_match('/^.{0,254}/us', $text, $found);
        $remark = preg_match('/[。.!！?？]$/uD', $found[0]) ? $found[0] : $found[0] . '。';
        $order = $this->order->locked();
        if (!in_array($remark, $this->order->actionNotes(self::IN_ORDER), true)) {
            $this->order->addAction(array($order['order_status'], $order['shipping_status']), $order['pay_status'], self::IN_ORDER, $remark);
        }
        return array('done' => true);
    }

    private function readParcel()
    {
        // capitals only: ECShop's trim(..., '<br>') clips a lower-case b or r at the ends
        $this->number = $this->body->text('number', 50, null, '/^[^<>,\s\p{Z}a-z]+$/uD');
        $this->body->text('delivery_sn', 20, null, '/^[0-9A-Za-z-]+$/D');
        $this->logNote();
        foreach ($this->body->objects('items', 1000) as $item) {
            $this->items[] = array(
                'goods_id' => $item->number('goods_id', 1, 4294967295),
                'product_id' => $item->number('product_id', 0, 4294967295, 0),
                'product_sn' => $item->text('product_sn', 60, ''),
                'goods_name' => $item->text('goods_name', 120),
                'brand_name' => $item->text('brand_name', 60, ''),
                'goods_sn' => $item->text('goods_sn', 60),
                'goods_attr' => $item->isNull('goods_attr') ? null : $item->text('goods_attr', 20000),
                'extension_code' => $item->isNull('extension_code') ? null : $item->text('extension_code', 30, null, '/^package_buy$/D'),
                'parent_id' => $item->number('parent_id', 0, 4294967295, 0),
                'send_number' => $item->number('send_number', 1, 65535),
                'is_real' => 1,
            );
        }
        foreach ($this->body->objects('sent', 1000) as $raise) {
            $before = $raise->number('before', 0, 65535);
            $this->raises[$raise->number('rec_id', 1, 4294967295)] = array('rec_id' => $raise->number('rec_id', 1, 4294967295),
                'before' => $before, 'after' => $raise->number('after', $before + 1, 65535));
        }
    }

    private function logNote()
    {
        $note = $this->body->text('log_note', 255);
        if (substr($note, -1 - strlen($this->number)) !== ' ' . $this->number) {
            throw EcsyncRequest::bad('log_note');  // the log is searched for the number
        }
        return $note;
    }

    private function noteWithNumber(array $notes)
    {
        foreach ($notes as $note) {
            if (in_array($this->number, EcsyncState::numbers($note['invoice_no']), true)) {
                return $note;
            }
        }
        return null;
    }

    /** The note with the number, if nothing is left to do to make it. */
    private function madeNote(array $notes)
    {
        $note = $this->noteWithNumber($notes);
        $isUnfinished = $note && $note['status'] === 2 && $note['delivery_sn'] === $this->body->text('delivery_sn', 20);
        return $isUnfinished && !$this->order->hasAction($this->number, self::IN_ORDER) ? null : $note;
    }

    /** Gives the id of the note with the number: taken from staff, or made to its end. */
    private function make()
    {
        $order = $this->order->read();
        $lines = $this->order->lines();
        $notes = $this->order->notes();
        $own = $this->noteWithNumber($notes);
        if (!$own && $this->order->standing($order, $lines, $notes) === 'shipped') {
            throw $this->order->refusal('already_shipped', 'was shipped in the shop with another number');
        }
        $staffs = $this->body->number('note_id', 0, 4294967295, 0);
        if (!$own && $staffs) {
            $this->takeStaffNote($notes, $staffs);
            return $staffs;
        }
        $plan = new EcsyncPlan($this->order, $this->items, $this->raises);
        $due = $plan->due($lines, $notes, $own);
        if (!$own) {
            $this->order->insertNote($this->body->text('delivery_sn', 20), $this->number);
            $own = $this->noteWithNumber($this->order->notes());
            $this->order->mustMatch((bool) $own);
        }
        $this->fill($own, $due);
        $order = $this->order->owed($this->order->read());
        $state = array(EcsyncState::isAllSplit($this->order->lines()) ? 5 : 6, 5);
        $this->order->setState($state);
        $this->order->addAction($state, $order['pay_status'], self::IN_ORDER, $this->logNote());
        return $own['delivery_id'];
    }

    private function takeStaffNote(array $notes, $id)
    {
        foreach ($notes as $note) {
            if ($note['delivery_id'] === $id) {
                if ($note['status'] !== 2 || EcsyncState::numbers($note['invoice_no'])) {
                    throw $this->order->refusal('note_taken', 'has a delivery note that was shipped or numbered by somebody else');
                }
                $this->order->putNumber($id, $this->number);
                return;
            }
        }
        throw $this->order->refusal('note_gone', 'has no delivery note ' . $id . ' any more');
    }

    private function fill(array $note, array $raises)
    {
        foreach ($note['goods'] as $index => $written) {
            $item = isset($this->items[$index]) ? $this->items[$index] : null;
            if (!$item || self::identity($written) !== self::identity($item)) {
                throw $this->order->refusal('note_conflict', 'has a delivery note with the number and other lines');
            }
        }
        foreach (array_slice($this->items, count($note['goods'])) as $item) {
            $this->order->insertItem($note['delivery_id'], $item);
        }
        foreach ($raises as $raise) {
            $this->order->raiseSent($raise);
        }
    }

    private static function identity(array $item)
    {
        return array($item['goods_id'], (int) $item['product_id'], (int) $item['parent_id'], $item['send_number']);
    }

    private function joined($invoice_no)
    {
        if (in_array($this->number, EcsyncState::numbers($invoice_no), true)) {
            return $invoice_no;
        }
        $joined = $invoice_no === '' ? $this->number : $invoice_no . '<br>' . $this->number;
        if (EcsyncText::length($joined) > 255) {
            throw $this->order->refusal('numbers_full', 'has no room for another waybill number');
        }
        return $joined;
    }
}

/** Compares what the caller planned with what the order holds now: somebody may have been here since it read. */
class EcsyncPlan
{
    private $order;
    private $items;
    private $raises;

    public function __construct(EcsyncOrder $order, array $items, array $raises)
    {
        $this->order = $order;
        $this->items = $items;
        $this->raises = $raises;
    }

    /** The raises that are still to be made; those that we made before we were cut off are left out. */
    public function due(array $lines, array $notes, $own)
    {
        if (!$this->items) {
            throw $this->order->refusal('lines_changed', 'leaves nothing for this parcel');
        }
        $due = array();
        $known = array();
        foreach ($lines as $line) {
            $known[$line['rec_id']] = $line;
        }
        foreach ($this->raises as $id => $raise) {
            if (!isset($known[$id]) || !EcsyncState::isReal($known[$id]) || $raise['after'] > $known[$id]['goods_number']) {
                throw $this->order->refusal('lines_changed', 'does not hold what the parcel takes');
            }
            $sent = $known[$id]['send_number'];
            $this->order->mustMatch($sent === $raise['before'] || ($own && $sent === $raise['after']));
            if ($sent === $raise['before']) {
                $due[$id] = $raise;
            }
        }
        $others = array();
        foreach ($notes as $note) {
            if (!$own || $note['delivery_id'] !== $own['delivery_id']) {
                $others[] = $note;
            }
        }
        $this->checkPlain($lines, $others, $due, (bool) $own);
        $this->checkPackages($lines, $others, $due);
        return $due;
    }

    /** Notes and sent numbers must tell the same story before and after. */
    private function checkPlain(array $lines, array $others, array $due, $is_begun)
    {
        $totals = array();
        foreach ($this->items as $item) {
            if (!EcsyncState::isPackage($item)) {
                $key = EcsyncState::key($item);
                $totals[$key] = (isset($totals[$key]) ? $totals[$key] : 0) + $item['send_number'];
            }
        }
        $noted = EcsyncState::noted($others, 0);
        foreach ($totals as $key => $total) {
            $ordered = $sent = $rises = 0;
            foreach (EcsyncState::plain($lines, $key) as $line) {
                $ordered += $line['goods_number'];
                $sent += $line['send_number'];
                $id = $line['rec_id'];
                $rises += isset($due[$id]) ? $due[$id]['after'] - $due[$id]['before'] : 0;
            }
            $before = isset($noted[$key]) ? $noted[$key] : 0;
            if ($before + $total > $ordered) {
                throw $this->order->refusal('lines_changed', 'owes fewer of goods ' . $key . ' than the parcel holds');
            }
            if ($before + $total - $sent !== $rises || (!$is_begun && $rises !== $total)) {
                throw $this->order->refusal('sent_mismatch', 'shows another number of goods ' . $key . ' as sent than its delivery notes');
            }
        }
    }

    /** A package counts as sent once all its parts are on notes. */
    private function checkPackages(array $lines, array $others, array $due)
    {
        $packages = array();
        foreach ($this->items as $item) {
            if (EcsyncState::isPackage($item)) {
                $packages[$item['parent_id']][EcsyncState::key($item)] = $item['send_number'];
            }
        }
        foreach ($packages as $package => $taken) {
            $ordered = $sent = 0;
            foreach ($lines as $line) {
                if (EcsyncState::isPackage($line) && $line['goods_id'] === $package) {
                    $ordered += $line['goods_number'];
                    $sent += isset($due[$line['rec_id']]) ? $due[$line['rec_id']]['after'] : $line['send_number'];
                }
            }
            $complete = $this->complete($package, $taken, EcsyncState::noted($others, $package), $ordered);
            if ($sent > $complete) {
                throw $this->order->refusal('sent_mismatch', 'would show package ' . $package . ' as sent before its parts are');
            }
        }
    }

    /** How many whole packages are on notes with this parcel. */
    private function complete($package, array $taken, array $noted, $ordered)
    {
        $complete = $ordered;
        foreach ($this->order->parts($package) as $part) {
            $key = EcsyncState::key($part);
            $on_notes = (isset($noted[$key]) ? $noted[$key] : 0) + (isset($taken[$key]) ? $taken[$key] : 0);
            if ($on_notes > $part['goods_number'] * $ordered) {
                throw $this->order->refusal('lines_changed', 'owes fewer parts of package ' . $package . ' than the parcel holds');
            }
            $complete = min($complete, (int) floor($on_notes / $part['goods_number']));
            unset($taken[$key]);
        }
        if ($taken) {
            throw $this->order->refusal('package_unknown', 'has a package whose contents are no longer in the shop');
        }
        return $complete;
    }
}

/* ---- Stock --------------------------------------------------------------------------------------------------- */

/** Stock figures with what is ordered of them, and conditional writes. Virtual cards mirror their codes: never touched. */
class EcsyncStock
{
    const KEPT = "g.is_real = 1 AND g.is_delete = 0 AND g.extension_code <> 'virtual_card'";

    private $db;

    public function __construct(EcsyncDatabase $db)
    {
        $this->db = $db;
    }

    public static function rules(EcsyncDatabase $db)
    {
        $rules = array('use_storage' => '', 'stock_dec_time' => '');
        foreach ($db->rows("SELECT code, value FROM {shop_config} WHERE code IN ('use_storage', 'stock_dec_time')") as $row) {
            $rules[$row['code']] = $row['value'];
        }
        return $rules;
    }

    /** What the shop's figures mean. */
    private function mode()
    {
        $rules = self::rules($this->db);
        if ($rules['use_storage'] !== '1') {
            return 'off';
        }
        return $rules['stock_dec_time'] === '1' ? 'at_order' : 'at_shipping';
    }

    /** A page of figures first, and only then what is ordered of them: a change planned on an old figure fails. */
    public function read(array $after, $limit, $accept_paying, $floor)
    {
        $mode = $this->mode();
        $document = array('mode' => $mode, 'limit' => $this->largest(), 'lines' => array(), 'next' => null);
        if ($mode === 'off') {
            return $document;
        }
        $goods = $this->db->rows('SELECT g.goods_id, g.goods_sn, g.goods_number FROM {goods} g WHERE g.goods_id >= ? AND '
            . self::KEPT . ' ORDER BY g.goods_id LIMIT ?', array($after[0] + ($after[1] ? 0 : 1), $limit));
        $lines = $this->lines($goods, $after);
        if (count($goods) === $limit || count($lines) > $limit) {
            $lines = array_slice($lines, 0, $limit);
            $last = end($lines) ? end($lines) : array('goods_id' => $goods[count($goods) - 1]['goods_id'], 'product_id' => 0);
            $document['next'] = $last['goods_id'] . ':' . $last['product_id'];
        }
        $unshipped = $this->unshipped(EcsyncReader::each($lines, 'goods_id'), $mode, $accept_paying, $floor);
        foreach ($lines as $index => $line) {
            $key = EcsyncState::key($line);
            $lines[$index]['unshipped'] = isset($unshipped[$key]) ? $unshipped[$key] : 0;
        }
        $document['lines'] = $lines;
        return $document;
    }

    private function lines(array $goods, array $after)
    {
        $ids = EcsyncReader::each($goods, 'goods_id');
        $products = !$ids ? array() : EcsyncReader::grouped($this->db->rows('SELECT product_id, goods_id, product_sn, product_number'
            . ' FROM {products} WHERE goods_id IN ? ORDER BY product_id', array($ids)), 'goods_id');
        $lines = array();
        foreach ($goods as $one) {
            $id = $one['goods_id'];
            if (!isset($products[$id])) {
                $lines[] = array('sku' => $one['goods_sn'], 'goods_id' => $id, 'product_id' => 0, 'number' => $one['goods_number']);
                continue;
            }
            foreach ($products[$id] as $product) {
                $isSeen = $id === $after[0] && $product['product_id'] <= $after[1];
                $sku = EcsyncText::trimmed((string) $product['product_sn']);
                if (!$isSeen) {
                    $lines[] = array('sku' => $sku === '' ? $one['goods_sn'] : $sku, 'goods_id' => $id,
                        'product_id' => $product['product_id'], 'number' => (int) $product['product_number']);
                }
            }
        }
        return $lines;
    }

    /** What open orders hold of these goods that no shipped note does: on no note, on open notes, in packages. */
    private function unshipped(array $goods_ids, $mode, $accept_paying, $floor)
    {
        $isOpen = 'o.shipping_status IN ? AND o.order_status IN ? AND o.add_time >= ?';
        $open = array(EcsyncState::$OPEN_SHIPPING, EcsyncState::$OPEN_ORDER, $floor);
        if ($mode === 'at_order') {  // the shop has subtracted every order that is not cancelled, paid or not
            $open[1] = array_merge(array(0), $open[1]);
        } else {
            $isOpen .= ' AND (o.pay_status IN ? OR o.pay_id IN (SELECT pay_id FROM {payment} WHERE is_cod = 1) OR o.pay_name IN ?)';
            array_push($open, EcsyncState::paidStates($accept_paying), EcsyncState::$COD_NAMES);
        }
        if (!$goods_ids) {
            return array();
        }
        $line = "l.order_id = o.order_id AND $isOpen AND l.goods_number > l.send_number AND l.is_real = 1";
        $plain = $this->db->rows('SELECT l.goods_id, l.product_id, SUM(l.goods_number - l.send_number) AS number FROM {order_info} o,'
            . " {order_goods} l WHERE $line AND l.extension_code <> 'package_buy' AND l.goods_id IN ? GROUP BY l.goods_id, l.product_id",
            array_merge($open, array($goods_ids)));
        $noted = $this->db->rows('SELECT i.goods_id, COALESCE(i.product_id, 0) AS product_id, SUM(i.send_number) AS number FROM {order_info} o,'
            . " {delivery_order} n, {delivery_goods} i WHERE n.order_id = o.order_id AND $isOpen AND n.status = 2"
            . ' AND i.delivery_id = n.delivery_id AND i.is_real = 1 AND i.goods_id IN ? GROUP BY i.goods_id, COALESCE(i.product_id, 0)',
            array_merge($open, array($goods_ids)));
        $packaged = $this->db->column("SELECT DISTINCT l.order_id FROM {order_info} o, {order_goods} l WHERE $line"
            . " AND l.extension_code = 'package_buy'", $open);
        $found = array();
        foreach (array_merge($plain, $noted, $this->inPackages($packaged)) as $row) {
            $key = EcsyncState::key($row);
            $found[$key] = (isset($found[$key]) ? $found[$key] : 0) + (int) $row['number'];
        }
        return $found;
    }

    /** The parts of packages that stand on no note yet. */
    private function inPackages(array $order_ids)
    {
        $reader = new EcsyncReader($this->db);
        $owed = array();
        foreach (array_chunk($order_ids, 500) as $some) {
            $notes = EcsyncReader::grouped($reader->notes($some, true), 'order_id');
            $lines = array_filter($reader->lines($some), array('EcsyncState', 'isPackage'));
            $parts = EcsyncReader::grouped($reader->parts(EcsyncReader::each($lines, 'goods_id')), 'package_id');
            foreach ($lines as $line) {
                $package = $line['goods_id'];
                $noted = EcsyncState::noted(isset($notes[$line['order_id']]) ? $notes[$line['order_id']] : array(), $package);
                foreach (isset($parts[$package]) ? $parts[$package] : array() as $part) {
                    $key = EcsyncState::key($part);
                    $left = min($part['goods_number'] * ($line['goods_number'] - $line['send_number']),
                        $part['goods_number'] * $line['goods_number'] - (isset($noted[$key]) ? $noted[$key] : 0));
                    $owed[] = array('goods_id' => $part['goods_id'], 'product_id' => $part['product_id'], 'number' => max(0, $left));
                }
            }
        }
        return $owed;
    }

    /** The most that both columns hold: 65535 in 2.7.3, more in later versions. */
    private function largest()
    {
        $bits = array('tinyint' => 8, 'smallint' => 16, 'mediumint' => 24, 'int' => 32);
        $limits = array();
        foreach (array(array('goods', 'goods_number'), array('products', 'product_number')) as $place) {
            $column = $this->db->row('SHOW COLUMNS FROM {' . $place[0] . '} LIKE ?', array($place[1]));
            if (preg_match('/^([a-z]+)/', $column['Type'], $type) && isset($bits[$type[1]])) {
                $limits[] = pow(2, $bits[$type[1]] - (strpos($column['Type'], 'unsigned') ? 0 : 1)) - 1;
            }
        }
        return $limits ? (int) min($limits) : null;
    }

    /** Sets figures that still are what they were; gives the places in the list of those that were set. */
    public function write(array $changes)
    {
        $limit = $this->largest();
        $products = $goods = array();
        foreach ($changes as $index => $body) {
            $change = array('index' => $index, 'goods_id' => $body->number('goods_id', 1, 4294967295),
                'product_id' => $body->number('product_id', 0, 4294967295, 0), 'before' => $body->number('before', 0, 4294967295),
                'after' => $body->number('after', 0, $limit === null ? 4294967295 : $limit));
            if ($change['product_id']) {
                $products[] = $change;
            } else {
                $goods[] = $change;
            }
        }
        $changed = array_merge($this->setProducts($products, $limit), $this->setGoods($goods));
        sort($changed);
        return array('changed' => $changed);
    }

    /** Products and the sums of their goods in one statement, each product if it is what it was. */
    private function setProducts(array $changes, $limit)
    {
        if (!$changes) {
            return array();
        }
        list($ids, $pairs, $before) = self::prepared($changes, 'product_id');
        $after = 'CASE %s.product_id' . str_repeat(' WHEN ? THEN ?', count($ids)) . ' END';
        $isBefore = '(%1$s.product_id, COALESCE(%1$s.product_number, 0)) IN ?';
        $sums = 'SELECT o.goods_id, SUM(CASE WHEN ' . sprintf($isBefore, 'o') . ' THEN ' . sprintf($after, 'o')
            . ' ELSE COALESCE(o.product_number, 0) END) AS total FROM {products} o WHERE o.goods_id IN ? GROUP BY o.goods_id';
        $found = $this->db->write('UPDATE {products} p, {goods} g, (' . $sums . ') s SET p.product_number = ' . sprintf($after, 'p')
            . ', g.goods_number = s.total WHERE p.product_id IN ? AND ' . sprintf($isBefore, 'p')
            . ' AND g.goods_id = p.goods_id AND s.goods_id = p.goods_id AND s.total <= ? AND ' . self::KEPT,
            array_merge(array($before), $pairs, array(EcsyncReader::each($changes, 'goods_id')), $pairs,
                array($ids, $before, $limit === null ? 4294967295 : $limit)));
        $shown = $this->db->rows('SELECT product_id AS id, product_number AS number FROM {products} WHERE product_id IN ?', array($ids));
        return $found ? self::those($shown, $changes, 'product_id') : array();
    }

    /** Goods without products, each if it is what it was and still has none. */
    private function setGoods(array $changes)
    {
        if (!$changes) {
            return array();
        }
        list($ids, $pairs, $before) = self::prepared($changes, 'goods_id');
        $found = $this->db->write('UPDATE {goods} g SET g.goods_number = CASE g.goods_id' . str_repeat(' WHEN ? THEN ?', count($ids)) . ' END'
            . ' WHERE g.goods_id IN ? AND (g.goods_id, g.goods_number) IN ? AND ' . self::KEPT
            . ' AND g.goods_id NOT IN (SELECT goods_id FROM {products} WHERE goods_id IN ?)',
            array_merge($pairs, array($ids, $before, $ids)));
        $shown = $this->db->rows('SELECT g.goods_id AS id, g.goods_number AS number FROM {goods} g WHERE g.goods_id IN ? AND ' . self::KEPT
            . ' AND g.goods_id NOT IN (SELECT goods_id FROM {products} WHERE goods_id IN ?)', array($ids, $ids));
        return $found ? self::those($shown, $changes, 'goods_id') : array();
    }

    private static function prepared(array $changes, $key)
    {
        $ids = $pairs = $before = array();
        foreach ($changes as $change) {
            $ids[] = $change[$key];
            array_push($pairs, $change[$key], $change['after']);
            $before[] = array($change[$key], $change['before']);
        }
        return array($ids, $pairs, $before);
    }

    private static function those(array $shown, array $changes, $key)
    {
        $numbers = array();
        foreach ($shown as $row) {
            $numbers[$row['id']] = (int) $row['number'];
        }
        $indexes = array();
        foreach ($changes as $change) {
            if (isset($numbers[$change[$key]]) && $numbers[$change[$key]] === $change['after']) {
                $indexes[] = $change['index'];
            }
        }
        return $indexes;
    }
}

/* ---- Looking ------------------------------------------------------------------------------------------------- */

/** What the other side must know before its first order: r=ping. */
class EcsyncLook
{
    private static $TABLES = array('account_log', 'brand', 'delivery_goods', 'delivery_order', 'goods', 'goods_activity',
        'order_action', 'order_goods', 'order_info', 'package_goods', 'payment', 'products', 'region', 'shipping',
        'shop_config', 'users');

    private $db;
    private $config;

    public function __construct(EcsyncDatabase $db, EcsyncConfig $config)
    {
        $this->db = $db;
        $this->config = $config;
    }

    public function document()
    {
        $stands = $this->db->rows('SELECT TABLE_NAME AS name, ENGINE AS engine, TABLE_COLLATION AS collation_name'
            . ' FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME LIKE ?',
            array($this->db->name, addcslashes($this->db->prefix, '_%\\') . '%'));
        $present = array();
        foreach ($stands as $row) {
            $present[substr($row['name'], strlen($this->db->prefix))] = $row;
        }
        $missing = array_values(array_diff(self::$TABLES, array_keys($present)));
        $orders = isset($present['order_info']) ? $present['order_info'] : array('engine' => '', 'collation_name' => '');
        $document = array(
            'plugin' => EcsyncApp::VERSION,
            'php' => PHP_VERSION,
            'database' => $this->db->value('SELECT VERSION()'),
            'prefix' => $this->db->prefix,
            'engine' => (string) $orders['engine'],
            'charset' => (string) strtok((string) $orders['collation_name'], '_'),
            'now' => time(),
            'utc_offset_s' => $this->config->offset,
            'has_shop_functions' => EcsyncAfterwards::files($this->config->root) !== array(),
            'missing_tables' => $missing,
        );
        return $document + ($missing ? array('can_write' => false) : $this->shop());
    }

    private function shop()
    {
        $rules = EcsyncStock::rules($this->db);
        $version = $this->db->value("SELECT value FROM {shop_config} WHERE code = 'ecs_version'");
        return array(
            'ecshop' => $version ? $version : '',
            'use_storage' => (int) $rules['use_storage'],
            'stock_dec_time' => (int) $rules['stock_dec_time'],
            'has_lastmodify' => $this->db->rows("SHOW COLUMNS FROM {order_info} LIKE 'lastmodify'") !== array(),
            'cod' => $this->db->column('SELECT pay_name FROM {payment} WHERE is_cod = 1 ORDER BY pay_id'),
            'shippings' => $this->db->rows('SELECT shipping_id, shipping_code, shipping_name, enabled FROM {shipping} ORDER BY shipping_id'),
            'goods_without_weight' => $this->db->value('SELECT COUNT(*) FROM {goods} WHERE is_real = 1 AND is_delete = 0 AND goods_weight = 0'),
            'products_without_sn' => $this->db->value("SELECT COUNT(*) FROM {products} WHERE product_sn IS NULL OR product_sn = ''"),
            'newest_add_time' => (int) $this->db->value('SELECT MAX(add_time) FROM (SELECT add_time FROM {order_info} ORDER BY order_id DESC LIMIT 100) n'),
            'can_write' => $this->canWrite(),
        );
    }

    /** Statements that change no row, but that only an account with the rights on a writable server may make. */
    private function canWrite()
    {
        try {
            $this->db->write('UPDATE {order_info} SET order_id = order_id WHERE 1 = 0');
            $this->db->write('INSERT INTO {order_action} (order_id) SELECT order_id FROM {order_action} WHERE 1 = 0');
            return true;
        } catch (EcsyncRefusal $refusal) {
            return false;
        }
    }
}

/** The simple list of orders that many integrations expect: GET /ecsync.php/api/orders with Basic auth. */
class EcsyncSimpleList
{
    private $db;
    private $reader;
    private $offset;
    private $memory;

    public function __construct(EcsyncDatabase $db, $offset, EcsyncMemory $memory)
    {
        $this->db = $db;
        $this->reader = new EcsyncReader($db);
        $this->offset = $offset;
        $this->memory = $memory;
    }

    public function document($page, $limit, $status, $since)
    {
        $found = $this->found($page, $limit, $status, $since - ($since ? $this->offset : 0));
        $next = count($found) > $limit ? $page + 1 : null;
        $document = $this->reader->gather(array_slice($found, 0, $limit), null);
        $regions = self::named($document['regions'], 'region_id', 'region_name');
        $skus = self::named($document['products'], 'product_id', 'product_sn');
        $orders = array();
        foreach ($document['orders'] as $rows) {
            $orders[] = $this->order($rows['order'], $regions) + array('lines' => $this->lines($rows['lines'], $skus));
        }
        return array('orders' => $orders, 'page' => $page, 'next' => $next);
    }

    /** One more than a page holds, where there is one more. */
    private function found($page, $limit, $status, $floor)
    {
        if ($status === 'open') {
            $open = $this->reader->openIds(0, 0, max(0, $floor), $this->memory);
            return $this->reader->byIds(array_slice($open, ($page - 1) * $limit, $limit + 1));
        }
        return $this->db->rows('SELECT ' . EcsyncReader::ORDER . ' FROM {order_info} WHERE add_time >= ? ORDER BY order_id LIMIT ? OFFSET ?',
            array(max(0, $floor), $limit + 1, ($page - 1) * $limit));
    }

    private function order(array $order, array $regions)
    {
        $address = '';
        foreach (array('province', 'city', 'district') as $level) {
            $address .= isset($regions[$order[$level]]) ? $regions[$order[$level]] . ' ' : '';
        }
        $worth = array('goods_amount', 'tax', 'shipping_fee', 'insure_fee', 'pay_fee', 'pack_fee', 'card_fee');
        $total = -$order['discount'];
        foreach ($worth as $name) {
            $total += $order[$name];
        }
        return array(
            'order_id' => $order['order_id'],
            'order_sn' => $order['order_sn'],
            'status' => self::status($order),
            'customer_name' => $order['consignee'],
            'phone' => $order['mobile'] !== '' ? $order['mobile'] : $order['tel'],
            'email' => $order['email'],
            'address' => $address . $order['address'],
            'total_amount' => number_format($total, 2, '.', ''),
            'currency' => 'CNY',
            'order_date' => gmdate('Ymd', $order['add_time'] + 2 * $this->offset),
            'paid_at' => $order['pay_time'] ? gmdate('Y-m-d\TH:i:s\Z', $order['pay_time'] + $this->offset) : null,
            'shipping' => $order['shipping_name'],
        );
    }

    private static function status(array $order)
    {
        $ended = array(2 => 'cancelled', 3 => 'invalid', 4 => 'returned');
        if (isset($ended[$order['order_status']])) {
            return $ended[$order['order_status']];
        }
        $moving = array(1 => 'shipped', 2 => 'received', 4 => 'partly_shipped', 6 => 'partly_shipped');
        if (isset($moving[$order['shipping_status']])) {
            return $moving[$order['shipping_status']];
        }
        return $order['pay_status'] === 2 ? 'paid' : 'unpaid';
    }

    private function lines(array $lines, array $skus)
    {
        $found = array();
        foreach ($lines as $line) {
            $sku = isset($skus[$line['product_id']]) ? EcsyncText::trimmed((string) $skus[$line['product_id']]) : '';
            $found[] = array('sku' => $sku === '' ? $line['goods_sn'] : $sku, 'name' => $line['goods_name'],
                'quantity' => $line['goods_number'], 'price' => $line['goods_price']);
        }
        return $found;
    }

    private static function named(array $rows, $key, $name)
    {
        $names = array();
        foreach ($rows as $row) {
            $names[$row[$key]] = $row[$name];
        }
        return $names;
    }
}

/* ---- The shop's own functions -------------------------------------------------------------------------------- */

/**
 * What the admin does when an order is shipped and SQL cannot: bonuses, the mail to the buyer, the page cache. It runs
 * after the log row, so at most once, and whatever it does (prints, exits, dies) the answer is the one prepared.
 */
class EcsyncAfterwards
{
    private static $document;

    /** The shop's files that define the functions, or none. */
    public static function files($root)
    {
        $files = array($root . 'includes/init.php', $root . 'includes/lib_order.php');
        return is_file($files[0]) && is_file($files[1]) ? $files : array();
    }

    public static function begin(array $document)
    {
        self::$document = $document + array('shop_functions' => array());
        EcsyncAnswer::prepare(self::$document);
        set_error_handler(array('EcsyncAfterwards', 'ignore'));
        defined('IN_ECS') || define('IN_ECS', true);
        defined('INIT_NO_USERS') || define('INIT_NO_USERS', true);
    }

    public static function ignore()
    {
        return true;
    }

    public static function run(array $shipped)
    {
        if ($shipped['is_full'] && $shipped['user_id'] && function_exists('send_order_bonus')) {
            send_order_bonus($shipped['order_id']);
            self::note('bonus');
        }
        if ($shipped['is_full']) {
            self::mail($shipped['order_id']);
        }
        if (function_exists('clear_cache_files')) {
            clear_cache_files();
            self::note('cache');
        }
    }

    /** The shop's own template with the names that its admin gives it. */
    private static function mail($order_id)
    {
        $settings = isset($GLOBALS['_CFG']) ? $GLOBALS['_CFG'] : array();
        $isWanted = isset($settings['send_ship_email']) && $settings['send_ship_email'] == '1' && isset($GLOBALS['smarty']);
        foreach (array('order_info', 'get_mail_template', 'local_date', 'send_mail') as $name) {
            $isWanted = $isWanted && function_exists($name);
        }
        if (!$isWanted) {
            return;
        }
        $order = order_info($order_id);
        $template = get_mail_template('deliver_notice');
        $url = $GLOBALS['ecs']->url();
        $smarty = $GLOBALS['smarty'];
        $smarty->assign('order', $order);
        $smarty->assign('send_time', local_date($settings['time_format']));
        $smarty->assign('shop_name', $settings['shop_name']);
        $smarty->assign('send_date', local_date($settings['date_format']));
        $smarty->assign('sent_date', local_date($settings['date_format']));
        $smarty->assign('confirm_url', $url . 'receive.php?id=' . $order_id . '&con=' . rawurlencode($order['consignee']));
        $smarty->assign('send_msg_url', $url . 'user.php?act=message_list&order_id=' . $order_id);
        $text = $smarty->fetch('str:' . $template['template_content']);
        if (send_mail($order['consignee'], $order['email'], $template['template_subject'], $text, $template['is_html'])) {
            self::note('mail');
        }
    }

    private static function note($what)
    {
        self::$document['shop_functions'][] = $what;
        EcsyncAnswer::prepare(self::$document);
    }
}

/* ---- The routes ---------------------------------------------------------------------------------------------- */

/** Takes a request to its answer. */
class EcsyncApp
{
    const VERSION = '1.0.0';

    private $request;
    private $config;
    private $db;
    private $changes = array();

    /** What the shop's own functions are to be told of after the answer is certain. */
    public $afterwards = null;
    public $document = null;

    public function run($root)
    {
        try {
            $this->request = new EcsyncRequest();
            $this->config = new EcsyncConfig($root);
            $this->document = $this->answer();
            if ($this->db) {
                $this->db->close();
            }
        } catch (EcsyncRefusal $refusal) {
            EcsyncAnswer::send($refusal->status, $refusal->document());
        } catch (Exception $problem) {
            $this->fail($problem);
        } catch (Throwable $problem) {
            $this->fail($problem);
        }
    }

    private function fail($problem)
    {
        error_log('ecsync.php: ' . get_class($problem) . ' in line ' . $problem->getLine());
        EcsyncAnswer::finish();
    }

    private function answer()
    {
        $routes = array('ping' => array('GET'), 'orders' => array('GET'), 'order' => array('GET'), 'ship' => array('POST'),
            'stock' => array('GET', 'POST'), 'api/orders' => array('GET'));
        $route = $this->request->route();
        $gate = new EcsyncGate($this->config->settings, $this->request, $this->config->root);
        $gate->admitClient();
        if ($route === 'api/orders') {
            $gate->admitBasic();
        } else {
            $gate->admitSigned();
        }
        if (!isset($routes[$route])) {
            throw new EcsyncRefusal(404, 'route_unknown', 'There is no such route; ping, orders, order, ship and stock are.');
        }
        if (!in_array($this->request->method, $routes[$route], true)) {
            throw new EcsyncRefusal(405, 'method_not_allowed', 'This route is called with ' . implode(' or ', $routes[$route]) . '.');
        }
        $this->config->readShop();
        $this->db = new EcsyncDatabase($this->config);
        $method = strtolower($this->request->method) . str_replace('/', '', $route);
        return $this->$method();
    }

    private function getPing()
    {
        $look = new EcsyncLook($this->db, $this->config);
        return $look->document();
    }

    private function getOrders()
    {
        $reader = new EcsyncReader($this->db);
        $ids = $this->request->parameter('ids', null);
        if ($ids !== null) {
            return $reader->gather($reader->byIds($this->ids($ids)), null);
        }
        $limit = $this->request->number('limit', 200, 1, 500);
        $open = $reader->openIds($this->request->number('after', 0), $this->request->number('accept_paying', 0, 0, 1),
            $this->request->number('floor', 0), $this->memory());
        $page = array_slice($open, 0, $limit);
        return $reader->gather($reader->byIds($page), count($open) > $limit ? end($page) : null);
    }

    /** Of unusual orders, by what decides whether an order is open. */
    private function memory()
    {
        return new EcsyncMemory($this->config, $this->request->parameter('accept_paying') . ' ' . $this->request->parameter('floor')
            . ' ' . $this->request->parameter('since'));
    }

    private function ids($text)
    {
        $ids = explode(',', $text);
        if (count($ids) > 500 || !preg_match('/^[0-9]{1,10}(,[0-9]{1,10})*$/D', $text)) {
            throw EcsyncRequest::bad('ids');
        }
        return array_map('intval', $ids);
    }

    private function getOrder()
    {
        $reader = new EcsyncReader($this->db);
        $sn = $this->request->parameter('sn');
        $id = $sn !== '' ? $reader->idOf($sn) : $this->request->number('id', null);
        $orders = $id === null ? array() : $reader->byIds(array($id));
        if (!$orders) {
            throw new EcsyncRefusal(404, 'order_gone', 'There is no such order; it was removed or merged in the shop, or never there.');
        }
        return $reader->gather($orders, null);
    }

    private function postShip()
    {
        $body = $this->body();
        $stage = $body->text('stage', 20);
        if (!in_array($stage, EcsyncStages::names(), true)) {
            throw EcsyncRequest::bad('stage');
        }
        $order = new EcsyncOrder($this->db, $body, time() - $this->config->offset);
        $stages = new EcsyncStages($order, $body, $this->config->offset);
        $document = $this->db->alone($order->id, array($stages, $stage));
        $this->afterwards = $stages->afterwards;
        return $document;
    }

    private function getStock()
    {
        $after = $this->request->parameter('after', '0:0');
        if (!preg_match('/^[0-9]{1,10}:[0-9]{1,10}$/D', $after)) {
            throw EcsyncRequest::bad('after');
        }
        $stock = new EcsyncStock($this->db);
        return $stock->read(array_map('intval', explode(':', $after)), $this->request->number('limit', 1000, 1, 2000),
            $this->request->number('accept_paying', 0, 0, 1), $this->request->number('floor', 0));
    }

    private function postStock()
    {
        $this->changes = $this->body()->objects('changes', 500);
        return $this->db->alone(0, array($this, 'writeStock'));  // no order has this number: stock writers wait for each other
    }

    public function writeStock()
    {
        $stock = new EcsyncStock($this->db);
        return $stock->write($this->changes);
    }

    private function getApiOrders()
    {
        $status = $this->request->parameter('status', 'open');
        if ($status !== 'open' && $status !== 'all') {
            throw EcsyncRequest::bad('status');
        }
        $list = new EcsyncSimpleList($this->db, $this->config->offset, $this->memory());
        return $list->document($this->request->number('page', 1, 1, 1000000), $this->request->number('limit', 50, 1, 200), $status,
            $this->request->number('since', 0));
    }

    private function body()
    {
        return new EcsyncBody(json_decode($this->request->body, true));
    }
}

EcsyncAnswer::begin();
$ecsync_app = new EcsyncApp();
$ecsync_app->run(dirname(__FILE__) . '/');
if ($ecsync_app->document !== null && $ecsync_app->afterwards) {
    EcsyncAfterwards::begin($ecsync_app->document);
    try {
        foreach (EcsyncAfterwards::files(dirname(__FILE__) . '/') as $ecsync_file) {
            include_once $ecsync_file;  // here, since the shop's functions look for their variables among the globals
        }
        EcsyncAfterwards::run($ecsync_app->afterwards);
    } catch (Exception $ecsync_problem) {
        error_log('ecsync.php: the shop\'s own functions failed: ' . get_class($ecsync_problem));
    } catch (Throwable $ecsync_problem) {
        error_log('ecsync.php: the shop\'s own functions failed: ' . get_class($ecsync_problem));
    }
    EcsyncAnswer::finish();
} elseif ($ecsync_app->document !== null) {
    EcsyncAnswer::send(200, $ecsync_app->document);
}

<?php
/* A shop of ours: the few functions that the plug-in may call write down that they were, and the rest misbehaves. */

if (!defined('IN_ECS')) {
    die('called from elsewhere');
}
define('EC_CHARSET', 'utf-8');  // a second time, as data/config.php included twice does
echo "\xEF\xBB\xBF<div>printed by the shop</div>";
header('Content-type: text/html; charset=utf-8');
$mood = trim((string) @file_get_contents(dirname(__FILE__) . '/../data/mood'));
if ($mood === 'closed') {
    header('HTTP/1.1 503 Closed');
    exit('<div>the shop is closed</div>');
}
if ($mood === 'broken') {
    function_of_another_php_version();
}
if ($mood === 'unreadable') {
    require dirname(__FILE__) . '/no_such_file.php';
}
$undefined_notice = $nowhere[1];

class StubEcs
{
    public function url()
    {
        return 'https://shop.example/';
    }
}

class StubSmarty
{
    public $assigned = array();

    public function assign($name, $value)
    {
        $this->assigned[$name] = $value;
    }

    public function fetch($template)
    {
        return $template . ' ' . $this->assigned['order']['order_sn'] . ' ' . $this->assigned['confirm_url'];
    }
}

function stub_note($line)
{
    file_put_contents(dirname(__FILE__) . '/../data/calls', $line . "\n", FILE_APPEND);
}

function clear_cache_files()
{
    stub_note('clear_cache_files');
}

function get_mail_template($name)
{
    return array('template_subject' => $name, 'template_content' => 'sent:', 'is_html' => 0);
}

function local_date($format)
{
    return $format;
}

function send_mail($name, $email, $subject, $content, $type)
{
    stub_note("send_mail $email $subject $content");
    return true;
}

$ecs = new StubEcs();
$smarty = new StubSmarty();
$_CFG = array('send_ship_email' => $mood === 'mail' ? '1' : '0', 'time_format' => 'H:i', 'date_format' => 'Y', 'shop_name' => 'stub');
ob_start();

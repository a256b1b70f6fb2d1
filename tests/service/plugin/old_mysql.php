<?php
/* What PHP 5 called mysql, over mysqli: for a server that is told to have no mysqli_init. */

function mysql_connect($host, $user, $password, $is_new, $flags)
{
    mysqli_report(MYSQLI_REPORT_OFF);
    list($name, $port) = explode(':', $host);
    $link = new mysqli();
    return @$link->real_connect($name, $user, $password, '', (int) $port, null, $flags) ? $link : false;
}

function mysql_select_db($name, $link)
{
    return $link->select_db($name);
}

function mysql_set_charset($charset, $link)
{
    return $link->set_charset($charset);
}

function mysql_query($sql, $link)
{
    return $link->query($sql);
}

function mysql_fetch_assoc($result)
{
    $row = $result->fetch_assoc();
    return $row === null ? false : $row;
}

function mysql_num_fields($result)
{
    return $result->field_count;
}

function mysql_field_type($result, $i)
{
    return in_array($result->fetch_field_direct($i)->type, array(1, 2, 3, 8, 9)) ? 'int' : 'string';
}

function mysql_field_name($result, $i)
{
    return $result->fetch_field_direct($i)->name;
}

function mysql_affected_rows($link)
{
    return $link->affected_rows;
}

function mysql_real_escape_string($text, $link)
{
    return $link->real_escape_string($text);
}

function mysql_errno($link)
{
    return $link->errno;
}

function mysql_close($link)
{
    return $link->close();
}

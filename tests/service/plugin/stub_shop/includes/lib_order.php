<?php

function order_info($order_id)
{
    return array('order_id' => $order_id, 'order_sn' => 'SN' . $order_id, 'consignee' => '甲', 'email' => 'a@shop.example');
}

function send_order_bonus($order_id)
{
    if ($GLOBALS['mood'] === 'throws') {
        throw new Exception('no bonus');
    }
    stub_note("send_order_bonus $order_id");
    return true;
}

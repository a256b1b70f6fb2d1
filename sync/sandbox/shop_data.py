"""What the sandbox shop sells and where it ships: real regions in ECShop's spelling, everything else invented."""

from __future__ import annotations

from dataclasses import dataclass

PROVINCES: dict[str, dict[str, tuple[str, ...]]] = {
    "北京": {"北京": ("东城区", "西城区", "朝阳区", "海淀区")},
    "上海": {"上海": ("浦东新区", "徐汇区", "静安区")},
    "天津": {"天津": ("和平区", "南开区")},
    "重庆": {"重庆": ("渝中区", "江北区")},
    "广东": {"深圳": ("南山区", "福田区", "宝安区"), "广州": ("天河区", "越秀区"), "东莞": ()},
    "浙江": {"杭州": ("西湖区", "余杭区", "滨江区"), "宁波": ("鄞州区",)},
    "江苏": {"南京": ("玄武区", "鼓楼区"), "苏州": ("虎丘区",)},
    "四川": {"成都": ("武侯区", "锦江区")},
    "湖北": {"武汉": ("武昌区", "洪山区")},
    "福建": {"厦门": ("思明区",), "福州": ("鼓楼区",)},
    "山东": {"青岛": ("市南区",), "济南": ("历下区",)},
    "吉林": {"延边": ("延吉市",), "长春": ("朝阳区",)},
    "广西": {"南宁": ("青秀区", "西乡塘区"), "桂林": ("象山区",)},
    "内蒙古": {"呼和浩特": ("新城区",)},
    "宁夏": {"银川": ("兴庆区",)},
    "新疆": {"乌鲁木齐": ("天山区", "新市区")},
    "西藏": {"拉萨": ("城关区",)},
}
"""Province -> city -> districts. 东莞 has none; 鼓楼区 and 朝阳区 stand twice, as such names do."""

STREETS = ("示例路 {} 号 ”样品大厦” {} 楼", "测试大道 {} 弄 {} 号楼 ＜b＞301＜/b＞", "演示街 {} 号院 {} 单元")
SURNAMES = ("测试", "示例", "样品", "演示")
GIVEN_NAMES = ("甲", "乙", "丙", "丁", "戊", "己", "庚", "辛", "壬", "癸")
REMARKS = (
    "",
    "",
    "",
    "工作日送货，送货前请电话联系",
    "生日礼物，”请”不要放发票\r\n第二行 ???? ＜b＞x＜/b＞",
    "放门口 & 别敲门 #302 100% <谢谢>",
    "请用'原箱'发货 + 加固\t\\谢谢",
)


@dataclass(frozen=True, slots=True)
class Goods:
    """Goods of the sandbox: price in fen, weight in grams; `variants` are products as (attribute, extra fen).

    `give_integral` and `rank_integral` are points for each piece, -1 for as many as its price in yuan.
    """

    goods_id: int
    sn: str
    name: str
    price_fen: int
    weight_g: int
    variants: tuple[tuple[str, int], ...] = ()
    is_real: bool = True
    is_sold: bool = True
    brand_id: int = 0
    give_integral: int = -1
    rank_integral: int = -1


GOODS = (
    Goods(1, "SBX-TEA-100", "示例龙井茶 100g", 12800, 150, brand_id=1),
    Goods(2, "SBX-CUP", "示例陶瓷杯", 4900, 420, (("颜色:白色", 0), ("颜色:黑色", 500), ("颜色:青色", 0))),
    Goods(3, "SBX-SHIRT", "示例棉衬衫", 19900, 280, (("尺码:M", 0), ("尺码:L", 0), ("尺码:XL", 1000))),
    Goods(4, "SBX-BOOK", "示例笔记本", 2550, 310),
    Goods(5, "SBX-LAMP", "示例台灯", 15900, 1250, brand_id=2, give_integral=30, rank_integral=0),
    Goods(6, "SBX-CABLE", "示例数据线", 1990, 60, (("长度:1 米", 0), ("长度:2 米", 600))),
    Goods(7, "SBX-SNACK", "示例坚果礼盒", 8800, 900),
    Goods(8, "SBX-STICKER", "示例贴纸（赠品）", 0, 15),
    Goods(9, "SBX-CARD", "示例充值卡", 5000, 0, is_real=False),
    Goods(10, "SBX-NOWEIGHT", "示例无重量商品", 3300, 0, is_sold=False),
)


def sold_skus() -> list[str]:
    """What has a stock figure: products where goods have some, else the goods; no virtual ones."""
    sold = [goods for goods in GOODS if goods.is_real and goods.is_sold]
    variants = [f"{goods.sn}-{number}" for goods in sold for number, _ in enumerate(goods.variants, start=1)]
    return sorted([*variants, *(goods.sn for goods in sold if not goods.variants)])


PACKAGES: dict[int, tuple[str, int, tuple[tuple[int, int, int], ...]]] = {
    5: ("示例下午茶礼包", 15800, ((1, 0, 1), (2, 1, 2), (7, 0, 1))),
}
"""Package act_id -> name, price in fen, parts (goods_id, product_id, number). 5 is some goods too, as in real shops."""

BRANDS = ((1, "示例茶园"), (2, "样品照明"))
"""(brand_id, brand_name)"""
MEMBERS = (1, 2)
"""user_id of those who have an account; the others order as guests."""

SHIPPING = (
    (1, "sto_express", "申通快递", 0),
    (2, "yto", "圆通速递", 1),
    (3, "zto", "中通速递", 0),
    (4, "sf_express", "顺丰速运", 1),
    (5, "ems", "EMS 国内邮政特快专递", 0),
    (6, "post_express", "邮政快递包裹", 0),
    (7, "flat", "市内快递", 0),
)
"""(shipping_id, shipping_code, shipping_name, support_cod)"""
CARRIED = (1, 2, 3, 4, 5, 6)
FLAT_RATE = 7

PAYMENTS = ((1, "balance", "余额支付", 0), (2, "alipay", "支付宝", 0), (3, "cod", "货到付款", 1))
"""(pay_id, pay_code, pay_name, is_cod)"""
BALANCE, ALIPAY, COD = 1, 2, 3

CONFIG = (("use_storage", "1"), ("stock_dec_time", "0"), ("ecs_version", "v2.7.3"), ("timezone", "8"))

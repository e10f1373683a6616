"""SLIP-0039: a secret as word lists of which a threshold recovers it. The standard's own forms, bit for bit."""

from lianzheng.wallet.slip39.scheme import combine, split
from lianzheng.wallet.slip39.share import Share, decode_share, encode_share

__all__ = ["Share", "combine", "decode_share", "encode_share", "split"]

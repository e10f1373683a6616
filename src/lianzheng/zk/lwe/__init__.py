"""One-server private retrieval from learning with errors, in the SimplePIR form (PIR-2).

Only :mod:`lianzheng.zk.lwe.scheme` and what it calls need numpy and numba; nothing imports these before it is asked to.

Symbols::

    D     bytes as −128 … 127, one row a byte of a column, M columns        (ℓ × M)
    A     public, expanded from a seed by SHAKE-128                         (M × n), words of 32 bits
    H     D·A, the hint; kept as round(H / 2^16)                            (ℓ × n), words of 16 bits
    s, e  ternary secret, discrete Gaussian errors; fresh for every query   (n), (M)
    query   A·s + e + 2^24·u_c       u_c: 1 at the column that is wanted    (M), words of 32 bits
    answer  round(D·query / 2^16)                                           (ℓ), words of 16 bits
    column  round((answer − H·s) / 2^8) mod 2^8

Published by Henzinger, Hong, Corrigan-Gibbs, Meiklejohn, Vaikuntanathan, "One Server for the Price of Two" (2023).
"""

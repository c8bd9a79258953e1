"""The hook specifications of Comptoir, one module per theme.

Reading a theme module is enough to know what a plugin can do there.  Names say how a hook behaves; the verb is a promise:

========================= ============ ======================= =============================
family                    called       result                  an exception …
========================= ============ ======================= =============================
``contribute``            once, build  values of any kind      refuses the plugin, build goes on
``prepare_*``             in the tx    none (may modify)       rolls the transaction back
``check_*``               in the tx    none (must not modify)  ``RuleViolation`` is gathered and shown
``on_*``                  in the tx    none                    rolls the transaction back
``after_*``               after commit none                    is logged and retried, others run
``choose_*``              at need      first non-None wins     is raised to the caller
``narrow_* / forbid_*``   at need      all combined by AND     refuses (fails closed)
``adapt_*``               at need      none (may modify)       is logged, the page still renders
========================= ============ ======================= =============================
"""

from comptoir.hookspecs import access, contribute, jobs, lifecycle, people, records, web

ALL_THEMES = (contribute, lifecycle, records, access, people, jobs, web)
"""The theme modules in reading order."""

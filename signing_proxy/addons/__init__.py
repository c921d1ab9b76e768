"""One concern a class, in the order in which a call meets them: see ``signing_proxy.core.build_addons``.

An addon either lets a call pass (it notes its ``Check``) or refuses it. None of them sends anything: the connection
does, once every check has been passed.
"""

"""The parts of mitmproxy that the embedded master is made of.

mitmproxy's addons package imports all its addons, one of which imports ldap3, which warns about deprecated names. That
is nobody's business here, so the warning is dropped at this one place.
"""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from mitmproxy.addons.core import Core
    from mitmproxy.addons.next_layer import NextLayer
    from mitmproxy.addons.proxyserver import Proxyserver
    from mitmproxy.addons.tlsconfig import TlsConfig
    from mitmproxy.master import Master

__all__ = ["Core", "Master", "NextLayer", "Proxyserver", "TlsConfig"]

import Cryptography
import NIOCore
import NIOSSL
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Where and how to connect; shared by many devices.
package struct ConnectionConfiguration: Sendable {
    /// WhatsApp's chat server.
    package static let whatsAppURL = "wss://web.whatsapp.com/ws/chat"
    package static let whatsAppOrigin = "https://web.whatsapp.com"
    /// A current desktop browser.
    package static let browserUserAgent =
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/148.0.0.0 Safari/537.36"

    /// `ws://` or `wss://`.
    package var url: String
    /// Whose certificate of the server's key is believed.
    package var trust: NoiseTrust
    /// The `Origin` header.
    package var origin: String
    /// The `User-Agent` header; empty: none.
    package var userAgent: String
    /// Further headers of the upgrade request.
    package var headers: [(name: String, value: String)]
    package var proxy: ProxyConfiguration?
    /// TLS for `wss://` and `https` proxies; nil: the process's shared context with the system's roots.
    package var tlsContext: NIOSSLContext?
    /// Time for name resolution, TCP, proxy, TLS and upgrade together.
    package var connectTimeout: TimeAmount
    /// Time for the Noise handshake.
    package var handshakeTimeout: TimeAmount
    /// Time for which the socket may accept nothing while bytes wait.
    package var writeTimeout: TimeAmount
    /// Source of the ephemeral key, the websocket key and masks.
    package var random: any RandomSource
    /// Unix time in seconds, for the validity of certificates.
    package var unixTime: @Sendable () -> Int64

    package init(
        url: String = ConnectionConfiguration.whatsAppURL, trust: NoiseTrust = .whatsApp,
        origin: String = ConnectionConfiguration.whatsAppOrigin,
        userAgent: String = ConnectionConfiguration.browserUserAgent, headers: [(name: String, value: String)] = [],
        proxy: ProxyConfiguration? = nil, tlsContext: NIOSSLContext? = nil, connectTimeout: TimeAmount = .seconds(20),
        handshakeTimeout: TimeAmount = .seconds(20), writeTimeout: TimeAmount = .seconds(30),
        random: any RandomSource = SystemRandom(),
        unixTime: @escaping @Sendable () -> Int64 = { Int64(time(nil)) }
    ) {
        self.url = url
        self.trust = trust
        self.origin = origin
        self.userAgent = userAgent
        self.headers = headers
        self.proxy = proxy
        self.tlsContext = tlsContext
        self.connectTimeout = connectTimeout
        self.handshakeTimeout = handshakeTimeout
        self.writeTimeout = writeTimeout
        self.random = random
        self.unixTime = unixTime
    }

    /// The context for TLS: one for the process, since each repeats the trust store.
    func resolvedTLSContext() throws(ConnectFailure) -> NIOSSLContext {
        if let tlsContext { return tlsContext }
        do {
            return try ConnectionConfiguration.sharedTLSContext.withLock { shared in
                if let shared { return shared }
                var configuration = TLSConfiguration.makeClientConfiguration()
                configuration.applicationProtocols = ["http/1.1"]
                let context = try NIOSSLContext(configuration: configuration)
                shared = context
                return context
            }
        } catch {
            throw .tls("\(error)")
        }
    }

    private static let sharedTLSContext = Mutex<NIOSSLContext?>(nil)
}

import Cryptography
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// The media port: HTTP/1.1, on a world's thread (09, section 20). With a certificate it speaks TLS to clients that begin
/// with TLS, and plain HTTP to the others.
@SandboxActor
final class MediaListener {
    private let channel: any Channel

    /// The port it listens on.
    var port: Int { channel.localAddress?.port ?? 0 }

    private init(channel: any Channel) { self.channel = channel }

    /// Binds `address`:`port` (0: any free one). Throws what binding and reading the certificate throw.
    static func start(
        address: String, port: Int, certificate: SandboxConfiguration.Certificate?,
        worlds: @escaping @SandboxActor @Sendable (String) -> World?
    ) async throws -> MediaListener {
        let tls = try certificate.map { try NIOSSLContext(configuration: $0.serverConfiguration) }
        let bootstrap = ServerBootstrap(group: SandboxActor.group)
            .serverChannelOption(ChannelOptions.backlog, value: 1024)
            .serverChannelOption(ChannelOptions.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(ChannelOptions.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls { try channel.pipeline.syncOperations.addHandler(TLSDetector(context: tls)) }
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(MediaHandler(worlds: worlds))
                }
            }
        return MediaListener(channel: try await bootstrap.bind(host: address, port: port).get())
    }

    func stop() async { try? await channel.close() }
}

extension SandboxConfiguration.Certificate {
    /// Throws when a file is missing or is no PEM.
    fileprivate var serverConfiguration: TLSConfiguration {
        get throws {
            TLSConfiguration.makeServerConfiguration(
                certificateChain: try NIOSSLCertificate.fromPEMFile(certificateFile).map { .certificate($0) },
                privateKey: .privateKey(try NIOSSLPrivateKey(file: privateKeyFile, format: .pem)))
        }
    }
}

/// Looks at the first byte of a connection: a TLS handshake begins with 22, a request with a letter.
private final class TLSDetector: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private static let handshake: UInt8 = 22
    private let context: NIOSSLContext

    init(context: NIOSSLContext) { self.context = context }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        if buffer.getInteger(at: buffer.readerIndex, as: UInt8.self) == Self.handshake {
            do {
                try context.pipeline.syncOperations.addHandler(
                    NIOSSLServerHandler(context: self.context), position: .after(self))
            } catch {
                return context.close(promise: nil)
            }
        }
        context.fireChannelRead(wrapInboundOut(buffer))
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }
}

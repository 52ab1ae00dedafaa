import NIOCore
import NIOSSL

extension ConnectFailure {
    /// What an error on the way to an open connection means.
    init(setup error: any Error) {
        switch error {
        case let failure as ConnectFailure: self = failure
        case let error as NoiseError: self = .handshake(error)
        case is FrameError, is WebSocketReader.ReadingError: self = .upgrade("\(error)")
        case NIOSSLError.uncleanShutdown: self = .closed
        case is NIOSSLError, is NIOSSLExtraError, is BoringSSLError: self = .tls("\(error)")
        default: self = .dial("\(error)")
        }
    }
}

extension DisconnectReason {
    /// What an error on an open connection means.
    init(socket error: any Error) {
        switch error {
        case let reason as DisconnectReason: self = reason
        case NoiseError.counterExhausted: self = .counterExhausted
        case is NoiseError: self = .undecryptableFrame
        case is FrameError, is WebSocketReader.ReadingError: self = .protocolViolation("\(error)")
        case NIOSSLError.uncleanShutdown: self = .closedByPeer(code: nil)
        default: self = .network("\(error)")
        }
    }
}

import Cryptography
import Transport
import WhatsAppProtobuf

/// A message as a phone hands it to its companions, in history and in resends (06-app-state-history, section 18.4).
struct WebMessageInfo {
    private let message: PhoneMessage
    private let fromMe: Bool

    /// `message` as the phone `phone` knows it.
    @SandboxActor
    init(_ message: PhoneMessage, in phone: Phone) {
        self.message = message
        fromMe = message.sender.user == phone.account.lid
    }

    func serialized() -> Bytes {
        let isRoom = !message.chat.isPerson
        let author = message.sender.bare.description
        var writer = ProtoWriter()
        writer.message(1) { key in
            key.string(1, message.chat.description)
            key.bool(2, fromMe)
            key.string(3, message.id)
            if isRoom { key.string(4, author) }
        }
        writer.bytes(2, message.content)
        writer.varint(3, UInt64(clamping: message.time))
        writer.varint(4, status)
        if isRoom { writer.string(5, author) }
        if let pushName = message.pushName { writer.string(19, pushName) }
        return writer.bytes
    }

    /// SERVER_ACK 2, DELIVERY_ACK 3, READ 4, PLAYED 5.
    private var status: UInt64 {
        switch message.status {
        case .sent: fromMe ? 2 : 3
        case .delivered: 3
        case .read: 4
        case .played: 5
        }
    }
}

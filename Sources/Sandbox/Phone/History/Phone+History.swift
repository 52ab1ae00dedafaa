import Cryptography
import OrderedCollections
import Transport
import WhatsAppProtobuf

/// History on its way to companions: notifications, files, answers to requests (06, sections 18, 19).
extension Phone {
    private static let info = "WhatsApp History Keys"
    private static let uploadType = "md-msg-hist"

    /// Sends one chunk, inside of its notification where that is allowed, else as a file. Returns the notification's id.
    @discardableResult
    func send(_ chunk: HistoryChunk, to device: Device) throws -> String {
        let payload = ZlibStored.compress(chunk.content)
        let isInline = comesInline(chunk, size: payload.count, to: device)
        var writer = ProtoWriter()
        if isInline {
            writer.bytes(1, SHA256Digest.hash(payload))
            writer.varint(2, UInt64(payload.count))
        } else {
            let file = try upload(payload, type: Self.uploadType, info: Self.info)
            writer.bytes(1, file.sha256)
            writer.varint(2, UInt64(file.length))
            writer.bytes(3, file.key)
            writer.bytes(4, file.encryptedSHA256)
            writer.string(5, file.directPath)
        }
        writer.varint(6, chunk.type.rawValue)
        writer.varint(7, chunk.order)
        if let original = chunk.originalID { writer.string(8, original) }
        writer.varint(9, chunk.progress)
        if isInline { writer.bytes(11, payload) }
        if let metadata = chunk.metadata { writer.message(13, metadata) }
        let id = try sendPeer(PeerPayload.historySync, writer.bytes, to: device)
        sentHistory[id] = chunk
        emit(
            .historySent,
            [
                "id": .string(id), "to_device": .number(device.id), "sync_type": .number(chunk.type.rawValue),
                "chunk_order": .number(chunk.order), "progress": .number(chunk.progress),
                "bytes": .number(payload.count), "inline": .bool(isInline),
            ])
        return id
    }

    private func comesInline(_ chunk: HistoryChunk, size: Int, to device: Device) -> Bool {
        // Without a media server there is no other way.
        guard world.mediaHost != nil || !world.settings.mediaHosts.isEmpty else { return true }
        guard size <= world.settings.historyInlineLimit,
            HistoryWishes(deviceProps: device.deviceProps ?? []).inline
        else { return false }
        switch world.settings.historyInlining {
        case .all: return true
        case .bootstrap: return chunk.type == .initialBootstrap
        case .none: return false
        }
    }

    /// A companion could not download a chunk: it is uploaded again under a new notification.
    func resendHistory(_ id: String, to device: Device) {
        guard var chunk = sentHistory[id] else { return }
        chunk.originalID = id
        do {
            try send(chunk, to: device)
        } catch {
            world.violation("phone.history", "chunk \(id) could not be sent again: \(error)", device: device)
        }
    }

    /// Messages of one chat before the oldest that the companion has (06, section 19.1).
    func answerHistoryOnDemand(_ request: ProtoFields, id: String, to device: Device) throws {
        guard let text = request.string(1), let wire = JID(text) else { return }
        let chat = world.account(wire)?.lidJID ?? wire.bare
        let count = min(max(Int(clamping: request.uint(4) ?? 50), 1), 1000)
        let all = Array(log.messages(in: chat).reversed())
        let older: ArraySlice<PhoneMessage>
        if let oldestID = request.string(2), let index = all.firstIndex(where: { $0.id == oldestID }) {
            older = all[(index + 1)...]
        } else if let time = request.uint(5), time > 0 {
            // The field is called milliseconds, and some clients send seconds.
            let seconds = Int64(clamping: time < 100_000_000_000 ? time : time / 1000)
            older = all.drop { $0.time >= seconds }
        } else {
            older = all[...]
        }
        let page = older.prefix(count)
        var writer = header(.onDemand)
        writer.bytes(2, conversation(chat, page, transfer: older.count > page.count ? 2 : 1))
        var chunk = HistoryChunk(.onDemand, writer.bytes)
        chunk.originalID = id
        try send(chunk, to: device)
    }
}

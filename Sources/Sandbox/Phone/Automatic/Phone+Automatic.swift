import Transport

/// What a phone does by itself when a message came in (09-sandbox-server, section 19.7).
extension Phone {
    func react(to message: PhoneMessage) {
        let automatic = account.automatic
        if automatic.read { markRead([message.id], in: message.chat) }
        guard automatic.echo, message.message.kind == "text", let text = message.message.text else { return }
        // Two echoing phones would answer each other for ever.
        if let author = world.account(message.sender), author.automatic.echo, message.sender.device == 0 { return }
        guard !message.chat.isBroadcast else { return }
        if automatic.typing { setTyping(.composing, in: message.chat) }
        do {
            _ = try send(.text(text), to: message.chat)
        } catch {
            world.violation("phone.echo", "the echo of \(message.id) failed: \(error)")
        }
        if automatic.typing { setTyping(.paused, in: message.chat) }
    }
}

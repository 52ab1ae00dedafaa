import Transport

extension SignalAddress {
    /// The address of a device's sessions. Hosted devices share the sessions of their `s.whatsapp.net` or `lid` form
    /// (03-signal, section 12.2).
    package init(_ jid: JID) {
        var home = jid
        if jid.server == .hosted { home.server = .user }
        if jid.server == .hostedLID { home.server = .lid }
        self.init(name: home.signalUser, device: UInt32(jid.device))
    }
}

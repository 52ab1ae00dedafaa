/// Conditions on a row `w` of `sb.webhooks` that several statements have.
enum WebhookPredicate {
    /// The gateway switched it off; it may be given a replay of what it missed.
    static let switchedOff = "w.disabled_reason IN ('failing', 'gone')"
    /// On, or switched off by the gateway: the predicate of the index `webhooks_listening`, which is used only where it
    /// stands word for word.
    static let listening = "(w.active OR \(switchedOff))"
}

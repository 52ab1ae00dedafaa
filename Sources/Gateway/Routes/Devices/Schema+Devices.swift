// Shapes of what devices and their makers get.

extension Schema {
    private static let token: Schema = .string.example("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.c2lnbmF0dXJl")

    static let createdDevice = Schema.object(
        .init("device_id", .uuid),
        .init(
            "device_secret", .string.example("64 lower-case hexadecimal digits"),
            "Shown this once; exchange it for new tokens"),
        .init("device_name", .string.example("Front desk")), .init("token", token, "For Authorization: Bearer"),
        .init("external_id", .string.example("desk-1"), optional: true), .init("message", .string))

    static let renewedToken = Schema.object(
        .init("device_id", .uuid), .init("token", token), .init("message", .string))

    static let issuedToken = Schema.object(.init("device_id", .uuid), .init("token", token))

    static let timelineEntry = Schema.object(
        .init("at", .time), .init("event", .string.example("connection.disconnected"), "Name of the event catalogue"),
        .init(
            "detail", .map(of: .any).example(["reason": "stream closed"]),
            "What the event says beside; nothing where that would show a code")
    ).named("TimelineEntry")

    static let ownDevice = Schema.object(
        [
            .init("device_id", .uuid), .init("device_name", .string.example("Front desk")),
            .init("whatsmeow_jid", .string.example("15557770000:7@s.whatsapp.net"), "Empty before it is linked"),
            .init("status", .status), .init("created_at", .time), .init("last_active", .time.orNull),
            .init("lid", .string.example("100000000000001:7@lid")), .init("push_name", .string.example("Harbour")),
            .init("platform", .string.example("android")), .init("proxy_active", .boolean.example(false)),
            .init("passive", .boolean.example(false)), .init("force_active_receipts", .boolean.example(false)),
            .init("token_version", .integer), .init("external_id", .string.example("desk-1"), optional: true),
        ] + stateReason)

    static let ownStatus = Schema.object(
        [
            .init("db_status", .status), .init("client_loaded", .boolean), .init("connected", .boolean),
            .init("is_connected", .boolean), .init("is_logged_in", .boolean),
            .init("error", .string.example(""), "Why it is not usable"),
        ] + stateReason)

    /// Both spellings, as `API_KEY_STYLE` has it.
    static let registration = Schema.object(
        .init("IsRegistered", .boolean, optional: true), .init("JID", .jid, optional: true),
        .init("is_registered", .boolean, optional: true), .init("jid", .jid, optional: true),
        .init("phone", .string.example("15550001111"), optional: true),
        .init("lid", .string.example("100000000000001@lid"), optional: true))

    static let proxy = Schema.object(
        .init("proxy_url", .string.example("http://user:***@proxy.example:8080"), "Password masked; empty: none"),
        .init("active", .boolean))

    private static let image: Schema = .string.example("data:image/png;base64,iVBORw0KGgo=")

    /// Both spellings, as `API_KEY_STYLE` has it. Absent when the device is linked already and only reconnected.
    static let loginQR = Schema.object(
        .init("QRCode", image, optional: true), .init("Timeout", .integer.example(60), optional: true),
        .init("qr_code", image, optional: true), .init("timeout", .integer.example(60), optional: true),
        .init("code", .string.example("2@ref,noise,identity,adv"), "Text of the QR"), .init("expires_at", .time))

    static let pairingCode = Schema.object(
        .init("PairCode", .string.example("ABCD-1234"), optional: true),
        .init("Timeout", .integer.example(160), optional: true),
        .init("pair_code", .string.example("ABCD-1234"), optional: true),
        .init("timeout", .integer.example(160), optional: true), .init("expires_at", .time, optional: true))
}

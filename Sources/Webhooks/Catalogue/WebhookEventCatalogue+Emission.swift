// Which events of the table nobody sends yet. A test holds this list against the sources: a name that is sent must not
// stand here, and a name that is not sent must.

extension WebhookEventCatalogue {
    /// What will send the events that are not sent yet.
    package enum Capability: String, Sendable, CaseIterable {
        case appState = "app state"
        case calls
        case history = "history sync"
        case users = "users, presence and privacy"
        case newsletters
        case messageKinds = "message kinds and media"
        case status
        case cluster = "moving devices between nodes"
        case messenger = "Messenger payloads, which are not built"
        case defaults = "settings that are not offered"
    }

    /// Events that are not sent yet, and what will send them.
    package static let planned: [String: Capability] = [
        "message.fb_received": .messenger,
        "message.ai_rich_response": .messageKinds,
        "connection.cat_refresh_error": .messenger,
        "connection.manual_login_reconnect": .defaults,
        "appstate.sync_complete": .appState,
        "appstate.sync_error": .appState,
        "appstate.patch_received": .appState,
        "call.offer": .calls,
        "call.accept": .calls,
        "call.pre_accept": .calls,
        "call.offer_notice": .calls,
        "call.transport": .calls,
        "call.relay_latency": .calls,
        "call.terminate": .calls,
        "call.reject": .calls,
        "call.unknown": .calls,
        "history.sync": .history,
        "history.sync_complete": .history,
        "blocklist.change": .users,
        "contact.update": .appState,
        "chat.presence": .users,
        "presence.update": .users,
        "picture.update": .users,
        "user.about": .users,
        "privacy.settings": .users,
        "pushname.setting": .appState,
        "business.name_update": .users,
        "chat.mute": .appState,
        "chat.archive": .appState,
        "chat.pin": .appState,
        "chat.star": .appState,
        "chat.delete_for_me": .appState,
        "chat.delete": .appState,
        "chat.clear": .appState,
        "chat.mark_read": .appState,
        "label.edit": .appState,
        "label.chat": .appState,
        "label.message": .appState,
        "settings.unarchive_chats": .appState,
        "status.mute": .appState,
        "newsletter.join": .newsletters,
        "newsletter.leave": .newsletters,
        "newsletter.message_received": .newsletters,
        "newsletter.update": .newsletters,
        "newsletter.mute_change": .newsletters,
        "newsletter.live_update": .newsletters,
        "poll.vote_decrypted": .messageKinds,
        "status.comment": .status,
        "media.downloaded": .messageKinds,
        "media.retry": .messageKinds,
        "account.reachout_timelock": .users,
        "switchboard.lease_moved": .cluster,
    ]
}

extension WebhookEventDescription {
    /// Whether this version sends the event.
    package var isEmitted: Bool { WebhookEventCatalogue.planned[name] == nil }
}

// The events of shared/data/webhook-events.tsv, in its order, and those of 11-webhooks, section 10.
// Tests/WebhooksTests holds this table against the file.

extension WebhookEventCatalogue {
    /// The 86 events of the reference, every one sent to a subscription that names no events.
    package static let referenceEvents: [WebhookEventDescription] = [
        .init(
            "message.received", .messages,
            ["message_id", "from", "chat", "timestamp", "is_from_me"]),
        .init(
            "message.delivered", .messages,
            ["message_id", "chat", "sender", "timestamp"]),
        .init(
            "message.read", .messages,
            ["message_id", "chat", "sender", "timestamp"]),
        .init(
            "message.played", .messages,
            ["message_id", "chat", "sender", "timestamp"]),
        .init(
            "message.deleted", .messages,
            ["message_id", "from", "chat", "timestamp", "deleted_by", "is_from_me"]),
        .init(
            "message.undecryptable", .messages,
            [
                "jid", "message_id", "from", "chat", "timestamp", "is_from_me", "is_unavailable", "unavailable_type",
                "fail_mode",
            ]),
        .init(
            "message.fb_received", .messages,
            ["jid", "message_id", "from", "chat", "timestamp", "retry_count"]),
        .init(
            "message.ai_rich_response", .messages,
            [
                "jid", "message_id", "from", "chat", "timestamp", "is_from_me", "message_type", "message_type_value",
                "submessage_count", "has_unified_response", "has_context_info", "rich_response",
            ]),
        .init(
            "connection.connected", .connection,
            ["jid", "phone_number", "push_name", "platform", "business_name", "is_logged_in", "is_connected"]),
        .init(
            "connection.disconnected", .connection,
            ["jid", "reason"]),
        .init(
            "connection.logged_out", .connection,
            ["jid"]),
        .init(
            "connection.reconnecting", .connection,
            ["jid"]),
        .init(
            "connection.keepalive_timeout", .connection,
            ["jid", "error_count", "last_success"]),
        .init(
            "connection.keepalive_restored", .connection,
            ["jid"]),
        .init(
            "connection.temporary_ban", .connection,
            ["jid", "reason", "expires"]),
        .init(
            "connection.client_outdated", .connection,
            ["jid"]),
        .init(
            "connection.cat_refresh_error", .connection,
            ["jid", "error"]),
        .init(
            "connection.connect_failure", .connection,
            ["jid", "reason", "message"]),
        .init(
            "connection.stream_error", .connection,
            ["jid", "code"]),
        .init(
            "connection.stream_replaced", .connection,
            ["jid", "warning"]),
        .init(
            "connection.manual_login_reconnect", .connection,
            ["jid"]),
        .init(
            "connection.qr", .connection,
            ["jid", "codes"]),
        .init(
            "connection.qr_scanned_without_multidevice", .connection,
            ["jid"]),
        .init(
            "connection.pair_success", .connection,
            ["jid", "pair_jid", "pair_lid", "business_name", "platform"]),
        .init(
            "connection.pair_error", .connection,
            ["jid", "pair_jid", "pair_lid", "business_name", "platform", "error"]),
        .init(
            "appstate.sync_complete", .appState,
            ["jid", "name", "version", "recovery"]),
        .init(
            "appstate.sync_error", .appState,
            ["jid", "name", "full_sync", "error"]),
        .init(
            "appstate.patch_received", .appState,
            ["jid", "index"]),
        .init(
            "call.offer", .calls,
            ["jid", "call_id", "from", "timestamp"]),
        .init(
            "call.accept", .calls,
            ["jid", "call_id", "from", "timestamp"]),
        .init(
            "call.pre_accept", .calls,
            ["jid", "call_id", "from", "timestamp"]),
        .init(
            "call.offer_notice", .calls,
            ["jid", "call_id", "from", "timestamp", "media", "type"]),
        .init(
            "call.transport", .calls,
            ["jid", "call_id", "from", "timestamp"]),
        .init(
            "call.relay_latency", .calls,
            ["jid", "call_id", "from", "timestamp"]),
        .init(
            "call.terminate", .calls,
            ["jid", "call_id", "from", "timestamp", "reason"]),
        .init(
            "call.reject", .calls,
            ["jid", "call_id", "from", "timestamp"]),
        .init(
            "call.unknown", .calls,
            ["jid"]),
        .init(
            "history.sync", .history,
            ["jid", "sync_type", "progress", "conversation_count"]),
        .init(
            "history.sync_complete", .history,
            ["jid", "sync_type"]),
        .init(
            "offline.sync_preview", .history,
            ["jid", "total", "app_data_changes", "messages", "notifications", "receipts"]),
        .init(
            "offline.sync_completed", .history,
            ["jid", "count"]),
        .init(
            "blocklist.change", .blocklist,
            ["jid", "action", "changes"]),
        .init(
            "group.join", .groups,
            ["jid", "group_jid", "reason", "type", "sender", "sender_pn"]),
        .init(
            "group.leave", .groups,
            ["jid", "group_jid", "reason"]),
        .init(
            "group.participant_update", .groups,
            ["jid", "group_jid", "join", "leave", "promote", "demote"]),
        .init(
            "group.info_update", .groups,
            ["jid", "group_jid", "sender", "timestamp", "join", "leave", "promote", "demote"]),
        .init(
            "contact.update", .contacts,
            ["jid", "contact_jid", "action", "timestamp", "from_full"]),
        .init(
            "chat.presence", .contacts,
            ["jid", "chat", "sender", "is_from_me", "state", "media"]),
        .init(
            "presence.update", .contacts,
            ["jid", "from", "unavailable", "last_seen"]),
        .init(
            "identity.change", .contacts,
            ["jid", "target", "timestamp", "implicit"]),
        .init(
            "picture.update", .contacts,
            ["jid", "target", "author", "timestamp", "removed", "picture_id"]),
        .init(
            "user.about", .contacts,
            ["jid", "target", "status", "timestamp"]),
        .init(
            "privacy.settings", .contacts,
            [
                "jid", "settings", "group_add_changed", "last_seen_changed", "status_changed", "profile_changed",
                "read_receipts_changed", "online_changed", "call_add_changed",
            ]),
        .init(
            "pushname.update", .contacts,
            ["jid", "target", "target_alt", "old", "new"]),
        .init(
            "pushname.setting", .contacts,
            ["jid", "timestamp", "from_full", "push_name", "action_raw"]),
        .init(
            "business.name_update", .contacts,
            ["jid", "target", "old", "new"]),
        .init(
            "chat.mute", .chatState,
            ["jid", "chat", "timestamp", "from_full", "action_raw"]),
        .init(
            "chat.archive", .chatState,
            ["jid", "chat", "timestamp", "from_full", "action_raw"]),
        .init(
            "chat.pin", .chatState,
            ["jid", "chat", "timestamp", "from_full", "action_raw"]),
        .init(
            "chat.star", .chatState,
            ["jid", "chat", "sender", "message_id", "timestamp", "is_from_me", "from_full", "action_raw"]),
        .init(
            "chat.delete_for_me", .chatState,
            ["jid", "chat", "sender", "message_id", "timestamp", "is_from_me", "from_full", "action_raw"]),
        .init(
            "chat.delete", .chatState,
            ["jid", "chat", "timestamp", "delete_media", "from_full", "action_raw"]),
        .init(
            "chat.clear", .chatState,
            ["jid", "chat", "timestamp", "delete_media", "from_full", "action_raw"]),
        .init(
            "chat.mark_read", .chatState,
            ["jid", "chat", "timestamp", "from_full", "action_raw"]),
        .init(
            "label.edit", .chatState,
            ["jid", "label_id", "timestamp", "from_full", "action_raw"]),
        .init(
            "label.chat", .chatState,
            ["jid", "chat", "label_id", "timestamp", "from_full", "action_raw"]),
        .init(
            "label.message", .chatState,
            ["jid", "chat", "label_id", "message_id", "timestamp", "from_full", "action_raw"]),
        .init(
            "settings.unarchive_chats", .chatState,
            ["jid", "timestamp", "from_full", "action_raw"]),
        .init(
            "status.mute", .chatState,
            ["jid", "target", "timestamp", "from_full", "action_raw"]),
        .init(
            "newsletter.join", .newsletters,
            ["jid", "newsletter_jid", "name"]),
        .init(
            "newsletter.leave", .newsletters,
            ["jid", "newsletter_jid", "role"]),
        .init(
            "newsletter.message_received", .newsletters,
            ["jid", "message_id", "chat", "timestamp", "is_edit"]),
        .init(
            "newsletter.update", .newsletters,
            ["jid", "newsletter_jid", "mute"]),
        .init(
            "newsletter.mute_change", .newsletters,
            ["jid", "newsletter_jid", "mute"]),
        .init(
            "newsletter.live_update", .newsletters,
            ["jid", "newsletter_jid", "time", "message_count", "messages"]),
        .init(
            "poll.created", .polls,
            ["jid", "message_id", "chat", "poll_name", "options_count", "selectable_options"]),
        .init(
            "poll.vote", .polls,
            ["jid", "message_id", "chat", "timestamp"]),
        .init(
            "poll.update", .polls,
            ["jid", "message_id", "chat", "timestamp"]),
        .init(
            "poll.vote_decrypted", .polls,
            ["jid", "message_id", "chat", "selected_options"]),
        .init(
            "status.posted", .status,
            ["jid", "message_id", "from", "timestamp", "is_from_me"]),
        .init(
            "status.viewed", .status,
            ["jid", "message_id", "chat", "sender", "timestamp"]),
        .init(
            "status.deleted", .status,
            ["jid", "message_id", "from", "timestamp", "is_from_me"]),
        .init(
            "status.comment", .status,
            ["jid", "message_id", "from", "chat", "timestamp"]),
        .init(
            "media.received", .media,
            ["jid", "message_id", "chat", "media_type"]),
        .init(
            "media.downloaded", .media,
            ["jid", "message_id", "chat", "media_type"]),
        .init(
            "media.retry", .media,
            ["jid", "message_id", "chat", "sender", "timestamp", "from_me", "error"]),
    ]

    /// Events of our own (11-webhooks, section 10): sent only to a subscription that names them.
    package static let ownEvents: [WebhookEventDescription] = [
        .init("message.edited", .messages, ["message_id", "chat", "from", "timestamp", "text"]),
        .init("message.reaction", .messages, ["message_id", "chat", "from", "emoji", "timestamp"]),
        .init("message.sent", .messages, ["message_id", "chat", "timestamp", "origin"]),
        .init("message.failed", .messages, ["message_id", "chat", "error", "wa_code"]),
        .init("message.retry_requested", .messages, ["message_id", "chat", "sender", "count"]),
        .init("connection.pairing_code", .connection, ["code", "expires_at"]),
        .init("connection.degraded", .connection, ["reason", "last_success"]),
        .init("connection.passkey_required", .connection, ["public_key"]),
        .init("account.reachout_timelock", .connection, ["is_active", "enforcement_type", "ends_at"]),
        .init("switchboard.lease_moved", .switchboard, ["from_node", "to_node", "epoch"]),
        .init("webhook.disabled", .switchboard, ["webhook_id", "reason", "since"]),
        .init("webhook.backlog", .switchboard, ["pending", "cancelled"]),
        .init("test.ping", .switchboard, ["message"]),
    ]
}

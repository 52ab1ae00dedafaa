// The events of shared/data/webhook-events.tsv, in its order, and those of 11-webhooks, section 10, each with the members
// of its `data`. Tests hold this table against the file, and what the code makes against this table.

extension WebhookEventCatalogue {
    /// The 86 events of the reference, every one sent to a subscription that names no events.
    package static let referenceEvents: [WebhookEventDescription] = [
        .init(
            "message.received", .messages,
            "message_id string, from string, chat string, timestamp unix_s, is_from_me bool",
            adds: """
                from_lid string?, chat_lid string?, type string, text string?, push_name string?, sender_alt string?, \
                is_group bool, is_offline bool, retry_count int?, is_edit bool, is_ephemeral bool, is_view_once bool, \
                quoted object?, mentions string[], media object?, message object?, unknown_fields int[]?, \
                truncated bool?
                """),
        .init(
            "message.delivered", .messages,
            "message_id string, chat string, sender string, timestamp unix_s",
            adds: "chat_lid string?, sender_lid string?, receipt_type string"),
        .init(
            "message.read", .messages,
            "message_id string, chat string, sender string, timestamp unix_s",
            adds: "chat_lid string?, sender_lid string?, receipt_type string"),
        .init(
            "message.played", .messages,
            "message_id string, chat string, sender string, timestamp unix_s",
            adds: "chat_lid string?, sender_lid string?, receipt_type string"),
        .init(
            "message.deleted", .messages,
            "message_id string, from string, chat string, timestamp unix_s, deleted_by string, is_from_me bool",
            adds: "from_lid string?, chat_lid string?"),
        .init(
            "message.undecryptable", .messages,
            """
            jid string, message_id string, from string, chat string, timestamp unix_s, is_from_me bool, \
            is_unavailable bool, unavailable_type string, fail_mode string
            """,
            adds: "from_lid string?, chat_lid string?"),
        .init(
            "message.fb_received", .messages,
            "jid string, message_id string, from string, chat string, timestamp unix_s, retry_count int"),
        .init(
            "message.ai_rich_response", .messages,
            """
            jid string, message_id string, from string, chat string, timestamp unix_s, is_from_me bool, \
            message_type string, message_type_value int, submessage_count int, has_unified_response bool, \
            has_context_info bool, rich_response object
            """),
        .init(
            "connection.connected", .connection,
            """
            jid string, phone_number string, push_name string, platform string, business_name string, \
            is_logged_in bool, is_connected bool
            """,
            adds: "lid string?"),
        .init("connection.disconnected", .connection, "jid string, reason string?"),
        .init(
            "connection.logged_out", .connection,
            "jid string",
            adds: "reason int?, reason_text string?, on_connect bool, initiated_by string"),
        .init("connection.reconnecting", .connection, "jid string", adds: "attempt int, delay_ms int"),
        .init("connection.keepalive_timeout", .connection, "jid string, error_count int, last_success rfc3339"),
        .init("connection.keepalive_restored", .connection, "jid string"),
        .init(
            "connection.temporary_ban", .connection,
            "jid string, reason int, expires int",
            adds: "reason_text string, expires_at rfc3339?"),
        .init("connection.client_outdated", .connection, "jid string"),
        .init("connection.cat_refresh_error", .connection, "jid string, error string"),
        .init("connection.connect_failure", .connection, "jid string, reason string, message string", adds: "code int"),
        .init("connection.stream_error", .connection, "jid string, code string"),
        .init("connection.stream_replaced", .connection, "jid string, warning string"),
        .init("connection.manual_login_reconnect", .connection, "jid string"),
        .init("connection.qr", .connection, "jid string, codes string[]"),
        .init("connection.qr_scanned_without_multidevice", .connection, "jid string"),
        .init(
            "connection.pair_success", .connection,
            "jid string, pair_jid string, pair_lid string, business_name string, platform string"),
        .init(
            "connection.pair_error", .connection,
            "jid string, pair_jid string, pair_lid string, business_name string, platform string, error string"),
        .init("appstate.sync_complete", .appState, "jid string, name string, version int, recovery bool"),
        .init("appstate.sync_error", .appState, "jid string, name string, full_sync bool, error string"),
        .init("appstate.patch_received", .appState, "jid string, index string[]"),
        .init("call.offer", .calls, "jid string, call_id string, from string, timestamp unix_s"),
        .init("call.accept", .calls, "jid string, call_id string, from string, timestamp unix_s"),
        .init("call.pre_accept", .calls, "jid string, call_id string, from string, timestamp unix_s"),
        .init(
            "call.offer_notice", .calls,
            "jid string, call_id string, from string, timestamp unix_s, media string, type string"),
        .init("call.transport", .calls, "jid string, call_id string, from string, timestamp unix_s"),
        .init("call.relay_latency", .calls, "jid string, call_id string, from string, timestamp unix_s"),
        .init("call.terminate", .calls, "jid string, call_id string, from string, timestamp unix_s, reason string"),
        .init("call.reject", .calls, "jid string, call_id string, from string, timestamp unix_s"),
        .init("call.unknown", .calls, "jid string"),
        .init("history.sync", .history, "jid string, sync_type string, progress int, conversation_count int"),
        .init("history.sync_complete", .history, "jid string, sync_type string"),
        .init(
            "offline.sync_preview", .history,
            "jid string, total int, app_data_changes int, messages int, notifications int, receipts int"),
        .init("offline.sync_completed", .history, "jid string, count int"),
        .init("blocklist.change", .blocklist, "jid string, action string, changes object[]"),
        .init(
            "group.join", .groups,
            "jid string, group_jid string, reason string, type string, sender string, sender_pn string",
            adds: "sender_lid string?"),
        .init("group.leave", .groups, "jid string, group_jid string, reason string"),
        .init(
            "group.participant_update", .groups,
            """
            jid string, group_jid string, join string[]|null, leave string[]|null, promote string[]|null, \
            demote string[]|null
            """,
            adds: "phone_numbers object?"),
        .init(
            "group.info_update", .groups,
            """
            jid string, group_jid string, sender string, timestamp unix_s, join string[]|null, leave string[]|null, \
            promote string[]|null, demote string[]|null
            """,
            adds: """
                sender_pn string?, sender_lid string?, phone_numbers object?, name string?, topic string?, \
                locked bool?, announce bool?, ephemeral int?, deleted bool?
                """),
        .init(
            "contact.update", .contacts,
            "jid string, contact_jid string, action string, timestamp rfc3339, from_full bool"),
        .init(
            "chat.presence", .contacts,
            "jid string, chat string, sender string, is_from_me bool, state string, media string"),
        .init("presence.update", .contacts, "jid string, from string, unavailable bool, last_seen rfc3339"),
        .init(
            "identity.change", .contacts,
            "jid string, target string, timestamp rfc3339, implicit bool",
            adds: "target_lid string?"),
        .init(
            "picture.update", .contacts,
            "jid string, target string, author string, timestamp rfc3339, removed bool, picture_id string"),
        .init("user.about", .contacts, "jid string, target string, status string, timestamp rfc3339"),
        .init(
            "privacy.settings", .contacts,
            """
            jid string, settings object, group_add_changed bool, last_seen_changed bool, status_changed bool, \
            profile_changed bool, read_receipts_changed bool, online_changed bool, call_add_changed bool
            """),
        .init("pushname.update", .contacts, "jid string, target string, target_alt string, old string, new string"),
        .init(
            "pushname.setting", .contacts,
            "jid string, timestamp rfc3339, from_full bool, push_name string, action_raw object|null"),
        .init("business.name_update", .contacts, "jid string, target string, old string, new string"),
        .init(
            "chat.mute", .chatState,
            "jid string, chat string, timestamp rfc3339, from_full bool, action_raw object|null"),
        .init(
            "chat.archive", .chatState,
            "jid string, chat string, timestamp rfc3339, from_full bool, action_raw object|null"),
        .init(
            "chat.pin", .chatState,
            "jid string, chat string, timestamp rfc3339, from_full bool, action_raw object|null"),
        .init(
            "chat.star", .chatState,
            """
            jid string, chat string, sender string, message_id string, timestamp rfc3339, is_from_me bool, \
            from_full bool, action_raw object|null
            """),
        .init(
            "chat.delete_for_me", .chatState,
            """
            jid string, chat string, sender string, message_id string, timestamp rfc3339, is_from_me bool, \
            from_full bool, action_raw object|null
            """),
        .init(
            "chat.delete", .chatState,
            "jid string, chat string, timestamp rfc3339, delete_media bool, from_full bool, action_raw object|null"),
        .init(
            "chat.clear", .chatState,
            "jid string, chat string, timestamp rfc3339, delete_media bool, from_full bool, action_raw object|null"),
        .init(
            "chat.mark_read", .chatState,
            "jid string, chat string, timestamp rfc3339, from_full bool, action_raw object|null"),
        .init(
            "label.edit", .chatState,
            "jid string, label_id string, timestamp rfc3339, from_full bool, action_raw object|null"),
        .init(
            "label.chat", .chatState,
            "jid string, chat string, label_id string, timestamp rfc3339, from_full bool, action_raw object|null"),
        .init(
            "label.message", .chatState,
            """
            jid string, chat string, label_id string, message_id string, timestamp rfc3339, from_full bool, \
            action_raw object|null
            """),
        .init(
            "settings.unarchive_chats", .chatState,
            "jid string, timestamp rfc3339, from_full bool, action_raw object|null"),
        .init(
            "status.mute", .chatState,
            "jid string, target string, timestamp rfc3339, from_full bool, action_raw object|null"),
        .init("newsletter.join", .newsletters, "jid string, newsletter_jid string, name string"),
        .init("newsletter.leave", .newsletters, "jid string, newsletter_jid string, role string"),
        .init(
            "newsletter.message_received", .newsletters,
            "jid string, message_id string, chat string, timestamp unix_s, is_edit bool"),
        .init("newsletter.update", .newsletters, "jid string, newsletter_jid string, mute string"),
        .init("newsletter.mute_change", .newsletters, "jid string, newsletter_jid string, mute string"),
        .init(
            "newsletter.live_update", .newsletters,
            "jid string, newsletter_jid string, time rfc3339, message_count int, messages object[]"),
        .init(
            "poll.created", .polls,
            "jid string, message_id string, chat string, poll_name string, options_count int, selectable_options int",
            adds: "chat_lid string?, options string[]"),
        .init(
            "poll.vote", .polls,
            "jid string, message_id string, chat string, timestamp unix_s",
            adds: "chat_lid string?, poll_id string?, voter string, voter_lid string?"),
        .init(
            "poll.update", .polls,
            "jid string, message_id string, chat string, timestamp unix_s",
            adds: "chat_lid string?, poll_id string?, voter string, voter_lid string?"),
        .init("poll.vote_decrypted", .polls, "jid string, message_id string, chat string, selected_options string[]"),
        .init(
            "status.posted", .status,
            "jid string, message_id string, from string, timestamp unix_s, is_from_me bool",
            adds: "from_lid string?"),
        .init(
            "status.viewed", .status,
            "jid string, message_id string, chat string, sender string, timestamp unix_s",
            adds: "sender_lid string?"),
        .init(
            "status.deleted", .status,
            "jid string, message_id string, from string, timestamp unix_s, is_from_me bool",
            adds: "from_lid string?"),
        .init("status.comment", .status, "jid string, message_id string, from string, chat string, timestamp unix_s"),
        .init(
            "media.received", .media,
            "jid string, message_id string, chat string, media_type string",
            adds: """
                chat_lid string?, mimetype string?, file_length int?, file_name string?, caption string?, \
                file_sha256 string?, seconds int?, width int?, height int?, direct_path string?
                """),
        .init("media.downloaded", .media, "jid string, message_id string, chat string, media_type string"),
        .init(
            "media.retry", .media,
            """
            jid string, message_id string, chat string, sender string, timestamp rfc3339, from_me bool, \
            error object|null
            """),
    ]

    /// Events of our own (11-webhooks, section 10): sent only to a subscription that names them.
    package static let ownEvents: [WebhookEventDescription] = [
        .init(
            "message.edited", .messages,
            "message_id string, chat string, from string, timestamp unix_s, text string",
            adds: "from_lid string?, chat_lid string?"),
        .init(
            "message.reaction", .messages,
            "message_id string, chat string, from string, emoji string, timestamp unix_s",
            adds: "from_lid string?, chat_lid string?"),
        .init(
            "message.sent", .messages,
            "message_id string, chat string, timestamp unix_s, origin string",
            adds: "chat_lid string?"),
        .init(
            "message.failed", .messages,
            "message_id string, chat string, error string, wa_code int|null",
            adds: "chat_lid string?"),
        .init(
            "message.retry_requested", .messages,
            "message_id string, chat string, sender string, count int",
            adds: "chat_lid string?, sender_lid string?"),
        .init("connection.pairing_code", .connection, "code string, expires_at rfc3339", adds: "jid string"),
        .init("connection.degraded", .connection, "reason string, last_success rfc3339", adds: "jid string"),
        .init("connection.passkey_required", .connection, "public_key object", adds: "jid string"),
        .init("account.reachout_timelock", .connection, "is_active bool, enforcement_type string, ends_at rfc3339"),
        .init("switchboard.lease_moved", .switchboard, "from_node string, to_node string, epoch int"),
        .init("webhook.disabled", .switchboard, "webhook_id int, reason string, since rfc3339"),
        .init("webhook.backlog", .switchboard, "pending int, cancelled int"),
        .init("test.ping", .switchboard, "message string"),
    ]
}

import Cryptography
import Transport
import WhatsAppProtobuf

/// How the companion shows itself on the phone (02-pairing-login, section 4).
package struct CompanionProperties: Sendable, Equatable {
    /// The device name on the phone's list of linked devices.
    package var name: String
    /// Product version, `a.b.c`.
    package var version: ClientVersion
    /// A name of `WACompanionReg.DeviceProps.PlatformType`; it chooses the icon on the phone.
    package var platform: String
    /// Asks the phone for the full history.
    package var requireFullSync: Bool

    package init(name: String, version: ClientVersion, platform: String = "CHROME", requireFullSync: Bool = false) {
        self.name = name
        self.version = version
        self.platform = platform
        self.requireFullSync = requireFullSync
    }

    /// The number of `platform` in its enum.
    package var platformNumber: UInt64 {
        let props = ProtoMessage(.deviceProps) { $0[enumName: "platformType"] = platform }
        return props[int: "platformType"].map(UInt64.init(clamping:)) ?? 0
    }

    /// The serialized `DeviceProps`.
    package func serialized() -> Bytes {
        ProtoMessage(.deviceProps) { props in
            props[string: "os"] = name
            props.update("version") { number in
                number[uint: "primary"] = UInt64(version.primary)
                number[uint: "secondary"] = UInt64(version.secondary)
                number[uint: "tertiary"] = UInt64(version.tertiary)
            }
            props[enumName: "platformType"] = platform
            props[bool: "requireFullSync"] = requireFullSync
            props.update("historySyncConfig") { config in
                config[uint: "storageQuotaMb"] = 10_240
                config[uint: "thumbnailSyncDaysLimit"] = 60
                for support in CompanionProperties.supported { config[bool: support] = true }
            }
        }.serialized()
    }

    private static let supported = [
        "inlineInitialPayloadInE2EeMsg", "supportCallLogHistory", "supportBotUserAgentChatHistory",
        "supportCagReactionsAndPolls", "supportBizHostedMsg", "supportRecentSyncChunkMessageCountTuning",
        "supportHostedGroupMsg", "supportFbidBotChatHistory", "supportMessageAssociation", "supportGroupHistory",
        "supportManusHistory", "supportHatchHistory",
    ]
}

/// What a client says about itself inside the Noise handshake (02-pairing-login, section 3).
package enum ClientPayload {
    /// The payload of a device that is not paired yet.
    package static func registration(
        _ device: DevicePublicKeys, properties: CompanionProperties, version: ClientVersion,
        systemVersion: String = "0.1"
    ) -> Bytes {
        var payload = base(version, systemVersion: systemVersion, passive: false)
        payload.update("devicePairingData") { data in
            data[bytes: "eRegid"] = bigEndian(device.registrationID, 4)
            data[bytes: "eKeytype"] = [PublicKey.typeByte]
            data[bytes: "eIdent"] = device.identity.raw
            data[bytes: "eSkeyID"] = bigEndian(device.signedPreKeyID, 3)
            data[bytes: "eSkeyVal"] = device.signedPreKey.raw
            data[bytes: "eSkeySig"] = device.signedPreKeySignature
            data[bytes: "buildHash"] = version.buildHash
            data[bytes: "deviceProps"] = properties.serialized()
        }
        return payload.serialized()
    }

    /// The payload of a paired device. Nil when `jid` is not a phone-number JID, whose digits name the account.
    package static func login(_ jid: JID, version: ClientVersion, systemVersion: String = "0.1") -> Bytes? {
        guard jid.isUser, let username = UInt64(jid.user) else { return nil }
        var payload = base(version, systemVersion: systemVersion, passive: true)
        payload[uint: "username"] = username
        payload[uint: "device"] = UInt64(jid.device)
        payload[int: "lc"] = 1
        payload[bool: "lidDbMigrated"] = true
        return payload.serialized()
    }

    private static func base(_ version: ClientVersion, systemVersion: String, passive: Bool) -> ProtoMessage {
        ProtoMessage(.clientPayload) { payload in
            payload[bool: "passive"] = passive
            payload[bool: "pull"] = passive
            payload[enumName: "connectType"] = "WIFI_UNKNOWN"
            payload[enumName: "connectReason"] = "USER_ACTIVATED"
            payload.update("webInfo") { $0[enumName: "webSubPlatform"] = "WEB_BROWSER" }
            payload.update("userAgent") { agent in
                agent[enumName: "platform"] = "WEB"
                agent.update("appVersion") { number in
                    number[uint: "primary"] = UInt64(version.primary)
                    number[uint: "secondary"] = UInt64(version.secondary)
                    number[uint: "tertiary"] = UInt64(version.tertiary)
                }
                agent[string: "mcc"] = "000"
                agent[string: "mnc"] = "000"
                agent[string: "osVersion"] = systemVersion
                agent[string: "manufacturer"] = ""
                agent[string: "device"] = "Desktop"
                agent[string: "osBuildNumber"] = systemVersion
                agent[enumName: "releaseChannel"] = "RELEASE"
                agent[string: "localeLanguageIso6391"] = "en"
                agent[string: "localeCountryIso31661Alpha2"] = "US"
            }
        }
    }
}

import Testing
import Transport

/// The JID cases of misc.json; its other cases belong to other files.
@Suite("misc.json: JIDs")
struct JIDVectors {
    /// Names of the cases that this file covers.
    static let names: Set<String> = ["jid text forms", "jid parse"]

    @Test("every JID case of misc.json holds: text forms, Signal address, bots, parsing and refusals")
    func jids() throws {
        var covered = 0
        for vector in try VectorFile("misc").cases where JIDVectors.names.contains(vector.name) {
            covered += 1
            switch vector.name {
            case "jid text forms": try checkForms(vector)
            default: try checkParsing(vector)
            }
        }
        #expect(covered > 0)
        print("vectors: misc: \(covered) JID cases run")
    }

    private func checkForms(_ vector: VectorCase) throws {
        let jid = try JID(vector: vector.object("jid"))
        #expect(try jid.description == vector.string("string"))
        #expect(try jid.adDescription == vector.string("ad_string"))
        #expect(try jid.bare.description == vector.string("non_ad"))
        #expect(try "\(jid.signalUser):\(jid.device)" == vector.string("signal_address"))
        #expect(try jid.isBot == vector.bool("is_bot"))
        #expect(try JID(vector.string("string")) == jid, "\(vector.path)")
    }

    private func checkParsing(_ vector: VectorCase) throws {
        let text = try vector.string("text")
        let parsed = JID(text)
        if vector.has("error") {
            #expect(parsed == nil, "\(text)")
        } else if try vector.bool("empty") {
            // The reference yields an empty JID for an empty text; ours has no such value.
            #expect(parsed == nil, "\(text)")
        } else {
            #expect(try parsed == JID(vector: vector.object("jid")), "\(text)")
            #expect(try parsed?.description == vector.string("formatted"), "\(text)")
        }
    }
}

extension JID {
    /// The JID as the vector files write it: `{user, server, device?, raw_agent?, integrator?, text}`.
    init(vector: VectorCase) throws {
        self.init(
            user: try vector.string("user"), server: JIDServer(try vector.string("server")),
            device: UInt16(clamping: try vector.optionalInt("device") ?? 0),
            agent: UInt8(clamping: try vector.optionalInt("raw_agent") ?? 0),
            integrator: UInt16(clamping: try vector.optionalInt("integrator") ?? 0))
    }
}

/// What becomes of a user's records when the LID of a phone number is learnt (03-signal, section 12.3).
///
/// For each of the user's devices: without a record under the LID the old one moves; with one, the LID's stays current and
/// the old one's states are appended to its archive, so that messages in flight still decrypt. Sessions, identities and
/// sender keys (by sender) move alike; for identities and sender keys an existing LID row wins.
package struct AddressMigration: Sendable, Equatable {
    package struct Step: Sendable, Equatable {
        package let from: SignalAddress
        package let to: SignalAddress
        /// Whether a record under `to` exists and must be merged with.
        package let merges: Bool
    }

    package let steps: [Step]

    /// - Parameters:
    ///   - name: the user's name under the phone number, such as `15551234567`.
    ///   - newName: the name under the LID, such as `9876543210_1`.
    ///   - stored: all addresses that have a record, of this and of other users.
    package init(from name: String, to newName: String, stored: some Sequence<SignalAddress>) {
        let known = Set(stored)
        steps =
            known.filter { $0.name == name }.sorted().map { address in
                let target = address.renamed(newName)
                return Step(from: address, to: target, merges: known.contains(target))
            }
    }
}

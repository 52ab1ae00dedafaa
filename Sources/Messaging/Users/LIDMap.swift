import Transport

/// What is known in memory about which LID is which number; the table behind it is per device (04, section 5.1).
package struct LIDMap: Sendable {
    /// Twice the largest group and more, because a full cache forgets half: a group whose members do not fit has every
    /// receipt of theirs looked up, stored and searched for again.
    private static let capacity = 4096

    private var lidByPN = RecentCache<String, String>(capacity: capacity)
    private var pnByLID = RecentCache<String, String>(capacity: capacity)
    /// Numbers whose Signal records were moved to their LID, or had none to move.
    private var migrated = RecentCache<String, Bool>(capacity: capacity)

    /// Numbers by the LID that was learnt for them of late, whose records nobody has looked for yet.
    private var unsearched = RecentCache<String, String>(capacity: capacity)

    package init() {}

    package var count: Int { lidByPN.count }

    package mutating func lid(pn: String) -> String? { lidByPN[pn] }
    package mutating func pn(lid: String) -> String? { pnByLID[lid] }

    /// Notes a pair; returns whether it was news.
    @discardableResult
    package mutating func learn(_ pair: LIDPair) -> Bool {
        guard lidByPN[pair.pn] != pair.lid || pnByLID[pair.lid] != pair.pn else { return false }
        if let old = lidByPN[pair.pn] { pnByLID[old] = nil }
        if let old = pnByLID[pair.lid] { lidByPN[old] = nil }
        lidByPN[pair.pn] = pair.lid
        pnByLID[pair.lid] = pair.pn
        migrated[pair.pn] = nil
        unsearched[pair.lid] = pair.pn
        return true
    }

    package mutating func needsMigration(pn: String) -> Bool { migrated[pn] == nil }
    package mutating func noteMigrated(pn: String) { migrated[pn] = true }

    /// The numbers of those of `lids` that were learnt since this was asked for them last.
    package mutating func takeUnsearched(_ lids: some Sequence<String>) -> [LIDPair] {
        var pairs: [LIDPair] = []
        for lid in lids {
            guard let pn = unsearched[lid] else { continue }
            unsearched[lid] = nil
            if pnByLID[lid] == pn, migrated[pn] == nil { pairs.append(LIDPair(lid: lid, pn: pn)) }
        }
        return pairs
    }

    package mutating func removeAll() { self = LIDMap() }
}

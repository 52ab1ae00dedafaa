/// A small map that forgets what was used longest ago. Empty it costs nothing.
package struct RecentCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private struct Entry: Sendable {
        var value: Value
        var used: UInt64
    }

    private var entries: [Key: Entry] = [:]
    private var tick: UInt64 = 0
    package let capacity: Int

    package init(capacity: Int) { self.capacity = capacity }

    package var count: Int { entries.count }
    package var values: [Value] { entries.values.map(\.value) }
    package var keys: [Key] { Array(entries.keys) }

    /// Reading counts as use.
    package subscript(key: Key) -> Value? {
        mutating get {
            guard let index = entries.index(forKey: key) else { return nil }
            tick += 1
            entries.values[index].used = tick
            return entries.values[index].value
        }
        set {
            guard let newValue else {
                entries[key] = nil
                return
            }
            tick += 1
            entries[key] = Entry(value: newValue, used: tick)
            if entries.count > capacity { evict() }
        }
    }

    /// Reading without use.
    package func peek(_ key: Key) -> Value? { entries[key]?.value }

    /// Drops the older half at once, so that eviction is not paid for with every insertion.
    private mutating func evict() {
        let order = entries.values.map(\.used).sorted()
        let limit = order[order.count / 2]
        entries = entries.filter { $0.value.used >= limit }
    }

    package mutating func removeAll(where shouldRemove: (Key, Value) -> Bool) {
        entries = entries.filter { !shouldRemove($0.key, $0.value.value) }
    }

    package mutating func removeAll() { entries = [:] }
}

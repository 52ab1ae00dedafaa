import Foundation

/// Where nodes tell each other that they take requests (14-storage, section 7.4).
package enum AdvertisedAddress {
    /// What is wrong with an address for which ``isLoopback(_:)`` holds while there are other nodes.
    package static let loopbackWarning =
        "a node among several advertises a loopback address: unless all run on one machine its devices cannot be reached "
        + "through the others; set NODE_ADVERTISE_URL there"

    /// Whether only the machine itself reaches it.
    package static func isLoopback(_ url: String) -> Bool {
        guard let host = URL(string: url)?.host?.lowercased() else { return false }
        return host == "localhost" || blocks.contains { $0.contains(host) }
    }

    private static let blocks = ["127.0.0.0/8", "::1/128"].compactMap(AddressBlock.init)
}

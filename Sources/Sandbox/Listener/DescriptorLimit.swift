#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The number of files and sockets this process may have open.
enum DescriptorLimit {
    /// Raises the soft limit to the hard one, so that 10 000 clients fit (09, section 26).
    static func raise() {
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
        limit.rlim_cur = limit.rlim_max
        _ = setrlimit(resource, &limit)
    }

    #if canImport(Glibc)
        private static let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    #else
        private static let resource = RLIMIT_NOFILE
    #endif
}

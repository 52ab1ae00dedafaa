import COpenSSL

/// Algorithms of libcrypto, fetched once per process: OpenSSL 3's implicit fetch costs more than a small operation.
///
/// Sendable although the handles are raw pointers: they are reference-counted, immutable after the fetch, documented as
/// usable from any thread, and live as long as the process.
struct Algorithms: @unchecked Sendable {
    static let shared = Algorithms()

    let sha256 = EVP_MD_fetch(nil, "SHA256", nil)
    let sha512 = EVP_MD_fetch(nil, "SHA512", nil)
    let sha1 = EVP_MD_fetch(nil, "SHA1", nil)
    let md5 = EVP_MD_fetch(nil, "MD5", nil)
    let aes256CBC = EVP_CIPHER_fetch(nil, "AES-256-CBC", nil)
    let aes256CTR = EVP_CIPHER_fetch(nil, "AES-256-CTR", nil)
    let aes256GCM = EVP_CIPHER_fetch(nil, "AES-256-GCM", nil)
}

/// One hash computation's working state, reusable for any number of hashes one after the other.
struct HashContext: ~Copyable {
    private let context: OpaquePointer
    private let algorithm: OpaquePointer?

    init(_ algorithm: OpaquePointer?) {
        guard let context = EVP_MD_CTX_new() else { fatalError("out of memory") }
        self.context = context
        self.algorithm = algorithm
    }

    deinit { EVP_MD_CTX_free(context) }

    func begin() { check(EVP_DigestInit_ex(context, algorithm, nil)) }
    func update(_ bytes: UnsafeRawBufferPointer) { check(EVP_DigestUpdate(context, bytes.octets, bytes.count)) }
    func update(_ bytes: UnsafeRawPointer, _ count: Int) { check(EVP_DigestUpdate(context, bytes, count)) }
    /// Writes the digest; `output` has room for the algorithm's size.
    func finish(_ output: UnsafeMutableRawPointer) {
        check(EVP_DigestFinal_ex(context, output.assumingMemoryBound(to: UInt8.self), nil))
    }

    /// Hash functions of libcrypto fail only when the algorithm is not there at all (a broken installation).
    private func check(_ result: Int32) {
        precondition(result == 1, "libcrypto refuses a hash function")
    }
}

/// One cipher's working state; its key schedule is cleansed by libcrypto when it is freed.
struct CipherContext: ~Copyable {
    let pointer: OpaquePointer

    init() {
        guard let pointer = EVP_CIPHER_CTX_new() else { fatalError("out of memory") }
        self.pointer = pointer
    }

    deinit { EVP_CIPHER_CTX_free(pointer) }
}

import Cryptography
import NIOSSL

/// A self-signed certificate for localhost and 127.0.0.1, valid for a hundred years; its key protects nothing.
enum TestCertificate {
    /// DER in Base64.
    private static let certificate =
        "MIIBmzCCAUGgAwIBAgIUez45sBeVfyt7UHVI393BZN4Oc/AwCgYIKoZIzj0EAwIwFDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2"
        + "MTEyMTEyNDI1OVoYDzIxMjYxMDI4MTI0MjU5WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC"
        + "AAQGHSBIXfRjmYh/k+gbdkziQl6Ggwdo0eBDbDw4/SZe4WbYivXHpxgit3AJTQ0MHMNrCgGoqGRqI9Wvz0/BGKr/o28wbTAdBgNV"
        + "HQ4EFgQUQYGewvXsMVknrTlXRV1J4kMCFwgwHwYDVR0jBBgwFoAUQYGewvXsMVknrTlXRV1J4kMCFwgwDwYDVR0TAQH/BAUwAwEB"
        + "/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZIzj0EAwIDSAAwRQIgJEUw8eamNFmR0Wo/oioXscn2nZr+4umw1hGN"
        + "OsEhB8ICIQDCOOep7Z8I0472JKRT07U/CRSfEthMOpq/TzTcO1Dbmg=="

    /// DER in Base64.
    private static let key =
        "MHcCAQEEICF+jGFIWdPPMv/7bkQdbKzQaVkke9Lhnb14LQfrFFngoAoGCCqGSM49AwEHoUQDQgAEBh0gSF30Y5mIf5PoG3ZM4kJe"
        + "hoMHaNHgQ2w8OP0mXuFm2Ir1x6cYIrdwCU0NDBzDawoBqKhkaiPVr89PwRiq/w=="

    static func serverContext() throws -> NIOSSLContext {
        let key = try NIOSSLPrivateKey(bytes: Base64.decode(key) ?? [], format: .der)
        let chain = NIOSSLCertificateSource.certificate(try decodedCertificate())
        return try NIOSSLContext(
            configuration: .makeServerConfiguration(certificateChain: [chain], privateKey: .privateKey(key)))
    }

    /// Trusts this certificate and nothing else.
    static func clientContext() throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.trustRoots = .certificates([try decodedCertificate()])
        return try NIOSSLContext(configuration: configuration)
    }

    private static func decodedCertificate() throws -> NIOSSLCertificate {
        try NIOSSLCertificate(bytes: Base64.decode(certificate) ?? [], format: .der)
    }
}

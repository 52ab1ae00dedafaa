import Foundation
import NIOSSL

/// A certificate of `localhost` for the measurements over TLS, made by `openssl` and kept in the data directory.
struct LoadCertificate {
    let file: String
    let context: NIOSSLContext

    init(in directory: String) throws {
        let (key, file) = (directory + "/tls-key.pem", directory + "/tls-certificate.pem")
        if !FileManager.default.fileExists(atPath: file) {
            let process = Process()
            process.executableURL = URL(filePath: "/usr/bin/env")
            process.arguments = [
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                key,
                "-out", file, "-days", "3650", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
            ]
            process.standardError = FileHandle.nullDevice
            try process.run()
            process.waitUntilExit()
            guard process.terminationStatus == 0 else {
                throw LoadProgram.Failure(description: "openssl could not make a certificate")
            }
        }
        self.file = file
        context = try NIOSSLContext(
            configuration: .makeServerConfiguration(
                certificateChain: try NIOSSLCertificate.fromPEMFile(file).map { .certificate($0) },
                privateKey: .privateKey(try NIOSSLPrivateKey(file: key, format: .pem))))
    }
}

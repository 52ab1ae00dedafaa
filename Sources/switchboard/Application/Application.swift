import Foundation
import UnixSignals

/// What all commands share.
enum Application {
    static let version = "0.1.0"

    /// Returns when the process is asked to end (SIGINT, SIGTERM). A second signal ends it at once with status 130.
    static func waitForStop() async {
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        for await _ in signals {
            Task.detached {
                for await _ in signals { exit(130) }
            }
            return
        }
    }

    /// Writes one line to standard output at once; other programs wait for it.
    static func printLine(_ line: String) {
        FileHandle.standardOutput.write(Data((line + "\n").utf8))
    }
}

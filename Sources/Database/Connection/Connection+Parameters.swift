import CPostgreSQL

extension Connection {
    /// Encodes parameters by the types that the server declared. Throws `DatabaseError.encoding`.
    func encode(_ bound: BoundStatement) throws -> ParameterEncoder {
        let types = prepared[bound.statement] ?? []
        guard types.count == bound.parameters.count else {
            throw DatabaseError.encoding(
                statement: bound.statement.name, parameter: min(types.count, bound.parameters.count) + 1,
                reason: "\(bound.parameters.count) parameters given, \(types.count) wanted")
        }
        var encoder = ParameterEncoder()
        for (index, (value, type)) in zip(bound.parameters, types).enumerated() {
            do {
                try encoder.append(value, as: type)
            } catch let failure as ParameterEncoder.Failure {
                throw DatabaseError.encoding(
                    statement: bound.statement.name, parameter: index + 1, reason: failure.reason)
            }
        }
        return encoder
    }

    /// Hands one execution to libpq; false when libpq refuses it.
    func send(_ statement: Statement, _ encoded: ParameterEncoder) -> Bool {
        let count = Int32(encoded.parameters.count)
        let lengths = encoded.parameters.map { Int32(clamping: $0.length ?? 0) }
        let formats = encoded.parameters.map(\.format.rawValue)
        return encoded.buffer.withUnsafeBufferPointer { buffer in
            buffer.withMemoryRebound(to: CChar.self) { characters in
                // An empty value must still be a pointer: NULL means NULL.
                let empty = UnsafePointer<CChar>(Self.emptyValue)
                let values = encoded.parameters.map { parameter -> UnsafePointer<CChar>? in
                    parameter.length.map { _ in
                        characters.baseAddress.map { $0.advanced(by: parameter.offset) } ?? empty
                    }
                }
                if namesStatements {
                    return PQsendQueryPrepared(handle.pointer, statement.name, count, values, lengths, formats, 1) == 1
                }
                let types = (prepared[statement] ?? []).map(\.rawValue)
                return PQsendQueryParams(handle.pointer, statement.sql, count, types, values, lengths, formats, 1) == 1
            }
        }
    }

    /// One NUL that lives as long as the process, for values without bytes.
    /// `nonisolated(unsafe)`: never written after its creation.
    private nonisolated(unsafe) static let emptyValue: UnsafeMutablePointer<CChar> = {
        let pointer = UnsafeMutablePointer<CChar>.allocate(capacity: 1)
        pointer.initialize(to: 0)
        return pointer
    }()
}

extension Connection.Work {
    func statementName(_ index: Int) -> String? {
        if case .pipeline(let statements) = self { statements[safe: index]?.statement.name } else { nil }
    }
}

extension DatabaseError {
    func withOutcome(unknown: Bool) -> DatabaseError {
        if case .connectionLost(let reason, let state, _) = self {
            .connectionLost(reason: reason, sqlState: state, outcomeUnknown: unknown)
        } else {
            self
        }
    }
}

extension Array {
    subscript(safe index: Int) -> Element? { indices.contains(index) ? self[index] : nil }
}

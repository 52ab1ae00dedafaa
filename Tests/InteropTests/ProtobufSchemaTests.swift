import Foundation
import Testing
import WhatsAppProtobuf

/// The compiled schema against the table it was written from, `data/proto-fields.tsv` beside the vectors.
@Suite("Protobuf schema against its table")
struct ProtobufSchemaTests {
    static let table = URL(fileURLWithPath: VectorFile.directory).deletingLastPathComponent()
        .appendingPathComponent("data/proto-fields.tsv")

    @Test(
        "every message, field and enum value of the table is in the compiled schema, and nothing else",
        .enabled(if: FileManager.default.fileExists(atPath: table.path), "the table is not there"))
    func complete() throws {
        var fields: [String: Set<String>] = [:]
        var values: [String: Set<String>] = [:]
        var checked = 0
        for line in try String(contentsOf: Self.table, encoding: .utf8).split(separator: "\n").dropFirst()
        where !line.hasPrefix("#") && !line.hasPrefix("package\t") {
            let columns = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            let (owner, kind, name) = (columns[1], columns[2], columns[3])
            checked += 1
            switch kind {
            case "message" where name.isEmpty:
                #expect(ProtoType.named(owner) != nil, "\(owner)")
                fields[owner] = []
            case "message":
                let type = try #require(ProtoType.named(owner))
                try #require(type.hasField(name), "\(owner).\(name)")
                check(type.declaration(of: name), columns)
                fields[owner]?.insert(name)
            case "enum" where name.isEmpty:
                #expect(ProtoEnum.named(owner) != nil, "\(owner)")
                values[owner] = []
            case "enum":
                #expect(ProtoEnum.named(owner)?.number(of: name) == Int32(columns[4]), "\(owner).\(name)")
                values[owner]?.insert(name)
            case "oneof": continue
            default: Issue.record("row of unknown kind \(kind)")
            }
        }
        for (owner, names) in fields {
            #expect(Set(ProtoType.named(owner)?.fields.map(\.name) ?? []) == names, "\(owner)")
        }
        for (owner, names) in values {
            #expect(names.isSuperset(of: ProtoEnum.named(owner)?.names ?? []), "\(owner)")
        }
        let entries = ProtoType.all.filter { fields[$0.fullName] == nil }.map(\.fullName)
        #expect(entries.allSatisfy { $0.hasSuffix("Entry") }, "\(entries)")
        print("schema: \(fields.count) messages, \(values.count) enums, \(checked) rows checked")
    }

    private func check(_ declaration: ProtoType.Declaration, _ columns: [String]) {
        let (number, type, label, oneof) = (columns[4], columns[5], columns[6], columns[7])
        let place = "\(columns[1]).\(columns[3])"
        #expect(declaration.number == Int(number), "\(place)")
        #expect(declaration.isRepeated == ["repeated", "packed", "map"].contains(label), "\(place)")
        #expect(declaration.isOneofMember == !oneof.isEmpty, "\(place)")
        if label == "map" {
            #expect(declaration.typeName.hasSuffix("Entry"), "\(place)")
        } else {
            #expect(declaration.typeName == type, "\(place)")
        }
        if label == "packed" { #expect(declaration.isPacked, "\(place)") }
        if label == "repeated", columns[9] == "proto2" { #expect(!declaration.isPacked, "\(place)") }
    }
}

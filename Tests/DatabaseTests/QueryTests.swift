import Database
import Foundation
import TestSupport
import Testing

@Suite("Queries over real PostgreSQL")
struct QueryTests {
    @Test("every supported type comes back as it was sent")
    func roundTrip() async throws {
        try await PostgresFixture.withDatabase { database in
            let pool = database.pool()
            let all = Statement(
                "test.types",
                """
                SELECT $1::int2 AS a, $2::int4 AS b, $3::int8 AS c, $4::bool AS d, $5::float8 AS e, $6::text AS f,
                  $7::bytea AS g, $8::uuid AS h, $9::timestamptz AS i, $10::jsonb AS j, $11::text[] AS k, $12::int[] AS l,
                  $13::int8[] AS m, $14::bytea[] AS n, $15::text AS o, $16::timestamptz AS p, $17::inet::text AS q
                """)
            let uuid = UUID()
            let date = Date(timeIntervalSince1970: 1_700_000_000.123456)
            let row = try #require(
                try await pool.query(
                    all,
                    [
                        -7, 70_000, .int(.min), true, 1.5, "grüß\0e", .bytes([0, 255, 1]), .uuid(uuid),
                        .timestamp(date),
                        #"{"a": [1, 2]}"#, ["x", "", nil, "ü"], [1, 2, 3], .ints([.max]), .byteStrings([[], [1]]), nil,
                        .timestamp(.distantPast), "10.0.0.1",
                    ]
                ).first)
            #expect(try row["a"] == Int16(-7))
            #expect(try row["b"] == 70_000)
            #expect(try row["c"] == Int64.min)
            #expect(try row["d"] == true)
            #expect(try row["e"] == 1.5)
            #expect(try row["f"] == "grüß\u{FFFD}e")
            #expect(try row["g"] == [UInt8]([0, 255, 1]))
            #expect(try row["h"] == uuid)
            let instant: Date = try row["i"]
            #expect(abs(instant.timeIntervalSince(date)) < 0.000_001)
            #expect(try row["j"] == #"{"a": [1, 2]}"#)
            #expect(try row["k"] == ["x", "", nil, "ü"] as [String?])
            #expect(try row["l"] == [1, 2, 3])
            #expect(try row["m"] == [Int64.max])
            #expect(try row["n"] == [[], [1]] as [[UInt8]])
            #expect(try row["o"] == nil as String?)
            #expect(try row["p"] == Date.distantPast)
            #expect(try row["q"] == "10.0.0.1/32")
            #expect(throws: DatabaseError.decoding(column: "o", reason: "is NULL")) { try row["o"] as String }
            #expect(throws: DatabaseError.decoding(column: "zz", reason: "there is no such column")) {
                try row["zz"] as Int
            }
            await pool.shutdown()
        }
    }

    @Test("a server error carries SQLSTATE, constraint and statement, and the connection goes on")
    func serverError() async throws {
        try await PostgresFixture.withDatabase { database in
            let pool = database.pool(size: 1)
            try await pool.script(
                "CREATE SCHEMA sb; CREATE TABLE t (id int PRIMARY KEY CONSTRAINT positive CHECK (id > 0))")
            let insert = Statement("test.insert", "INSERT INTO t VALUES ($1)")
            #expect(try await pool.execute(insert, [1]) == 1)
            let duplicate = await #expect(throws: DatabaseError.self) { try await pool.execute(insert, [1]) }
            #expect(duplicate?.sqlState == .uniqueViolation)
            #expect(duplicate?.constraint == "t_pkey")
            let refused = await #expect(throws: DatabaseError.self) { try await pool.execute(insert, [-1]) }
            #expect(refused?.constraint == "positive")
            let syntax = await #expect(throws: DatabaseError.self) {
                try await pool.query(Statement("test.syntax", "SELEC 1"))
            }
            #expect(syntax?.sqlState == .syntaxError)
            let tooBig = await #expect(throws: DatabaseError.self) { try await pool.execute(insert, [.int(1 << 40)]) }
            guard case .encoding("test.insert", 1, _)? = tooBig else {
                #expect(Bool(false), "\(tooBig as Any)")
                return
            }
            #expect(try await pool.execute(insert, [2]) == 1)
            await pool.shutdown()
        }
    }

    @Test("ten thousand statements go through one pipeline, answers in order")
    func longPipeline() async throws {
        try await PostgresFixture.withDatabase { database in
            let pool = database.pool(size: 1)
            let echo = Statement("test.echo", "SELECT $1::int8, repeat('x', 100)")
            let results = try await pool.pipeline((0..<10_000).map { echo(.int($0)) })
            #expect(results.count == 10_000)
            for (index, result) in results.enumerated() {
                let value: Int = try #require(result.rows.first)[0]
                guard value == index else {
                    #expect(value == index)
                    return
                }
            }
            await pool.shutdown()
        }
    }

    @Test("a failing statement in a pipeline undoes the whole pipeline and names itself")
    func failingPipeline() async throws {
        try await PostgresFixture.withDatabase { database in
            let pool = database.pool(size: 1)
            try await pool.script("CREATE SCHEMA sb; CREATE TABLE t (id int PRIMARY KEY)")
            let insert = Statement("test.insert", "INSERT INTO t VALUES ($1)")
            let divide = Statement("test.divide", "SELECT 1 / $1::int")
            let error = await #expect(throws: DatabaseError.self) {
                try await pool.pipeline([insert(1), divide(0), insert(2)])
            }
            #expect(error?.sqlState == .divisionByZero)
            if case .server(let details)? = error { #expect(details.statement == "test.divide") }
            let count: Int = try #require(
                try await pool.query(Statement("test.count", "SELECT count(*) FROM t")).first)[0]
            #expect(count == 0)
            await pool.shutdown()
        }
    }

    @Test("times that no timestamp holds are its infinities", arguments: [(-1e300, "-infinity"), (1e300, "infinity")])
    func timesBeyond(seconds: Double, text: String) async throws {
        try await PostgresFixture.withDatabase { database in
            let pool = database.pool(size: 1)
            let row = try await pool.query(
                Statement("test.beyond", "SELECT $1::timestamptz::text"),
                [.timestamp(Date(timeIntervalSince1970: seconds))]
            ).first
            let stored: String = try #require(row)[0]
            #expect(stored == text)
            await pool.shutdown()
        }
    }
}

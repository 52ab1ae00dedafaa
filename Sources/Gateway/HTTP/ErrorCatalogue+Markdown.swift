extension ErrorCatalogue {
    /// `docs/errors.md`.
    package static var markdown: String {
        let rows = all.sorted { ($0.statuses.first ?? 0, $0.word) < ($1.statuses.first ?? 0, $1.word) }.map { entry in
            let statuses = entry.statuses.map(String.init).joined(separator: ", ")
            return "| \(statuses) | `\(entry.word)` | \(entry.message) | \(entry.meaning) |"
        }
        return """
            # Errors

            A failure has an HTTP status of 400 or more and this body:

            ```json
            {"status":false,"code":404,"message":"Device not found","data":{"error_code":"not_found"},"error":"Device not found"}
            ```

            Decide by the status and by `data.error_code`; words keep their meaning, messages are for people. `data` may also have
            `retry_after` (seconds, also in the header `Retry-After`) and `wa_code` (the number WhatsApp gave). Name the answer's
            `X-Request-ID` when you ask the operator: the log has it.

            Every `validation_error` and `invalid_recipient` has `data.field`: the member of the body, or the parameter, part of the
            path or header that is wrong, under the name that the description gives it. Where several are missing it is the first.
            `data.expected` says what type was expected, and `data.hint` what to do where the message alone does not.

            401, 429 and 5xx with `Retry-After` may be repeated later; the other 4xx will fail again as they are. With
            `API_ERROR_STATUS_MODE=reference` failures of WhatsApp and of the session have status 500 with the same messages.

            This file is made from `ErrorCatalogue` in the code; a test compares the two.

            | Status | `error_code` | Message, for instance | Meaning |
            | --- | --- | --- | --- |
            \(rows.joined(separator: "\n"))

            """
    }
}

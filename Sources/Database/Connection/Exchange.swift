enum ExchangeProgress: Equatable {
    case waiting
    case finished
    /// The answers do not fit the requests: the connection must be closed.
    case outOfStep
}

/// Follows the answers to one flush of work, without touching libpq: which answer belongs to which request, what the
/// first error was, and when everything has been answered.
///
/// libpq hands out, per request of a pipeline, one result and then "no more results", and after all of them one
/// synchronization mark. Requests after a failed one are answered with "skipped". A script (simple protocol) has any
/// number of results and ends with "no more results".
struct Exchange<Output> {
    enum Answer {
        case result(Output)
        case failure(ServerError)
        /// An earlier request of the pipeline failed and this one did not run.
        case skipped
        case endOfResults
        case synchronized
    }

    private enum State {
        case script
        /// Answer `index` is next; `answered` once it came and only its end is missing.
        case pipeline(index: Int, answered: Bool)
        case finished
    }

    /// Number of requests in the pipeline; nil for a script.
    private let count: Int?
    private var state: State
    /// One entry per request that succeeded; stops at the first failure.
    private(set) var outputs: [Output] = []
    private(set) var firstFailure: ServerError?

    static func script() -> Exchange { Exchange(count: nil, state: .script) }

    static func pipeline(requests: Int) -> Exchange {
        Exchange(count: requests, state: .pipeline(index: 0, answered: false))
    }

    private init(count: Int?, state: State) {
        self.count = count
        self.state = state
        outputs.reserveCapacity(count ?? 1)
    }

    mutating func received(_ answer: Answer) -> ExchangeProgress {
        switch (state, answer) {
        case (.script, .result(let output)):
            outputs.append(output)
            return .waiting
        case (.script, .failure(let error)):
            firstFailure = firstFailure ?? error
            return .waiting
        case (.script, .endOfResults):
            state = .finished
            return .finished
        case (.pipeline(let index, answered: false), .result(let output)) where index < count ?? 0:
            outputs.append(output)
            state = .pipeline(index: index, answered: true)
            return .waiting
        case (.pipeline(let index, answered: false), .failure(let error)) where index < count ?? 0:
            firstFailure = firstFailure ?? error
            state = .pipeline(index: index, answered: true)
            return .waiting
        case (.pipeline(let index, answered: false), .skipped) where index < count ?? 0:
            state = .pipeline(index: index, answered: true)
            return .waiting
        case (.pipeline(let index, answered: true), .endOfResults):
            state = .pipeline(index: index + 1, answered: false)
            return .waiting
        case (.pipeline(let index, answered: false), .synchronized) where index == count:
            state = .finished
            return .finished
        default:
            return .outOfStep
        }
    }
}

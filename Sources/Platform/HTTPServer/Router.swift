import Basics
import HTTP

/// Finds the route of a path: a trie in flat arrays, walked over the bytes of the target.
struct Router: Sendable {
  enum Match {
    case route(Int, PathSpans)
    /// The path is known, the method is not; the methods that are.
    case otherMethod(allow: String)
    case unknownPath
    /// A bad escape, NUL, invalid UTF-8 or a dot segment.
    case badPath
  }

  private struct Node: Sendable {
    var segment: [UInt8] = []
    var firstChild = -1
    var nextSibling = -1
    /// The child that matches any segment.
    var wildcard = -1
    /// For each method the place of its route, or -1.
    var routes = [Int](repeating: -1, count: Method.allCases.count)
    var allow: String?
  }

  private var nodes = [Node()]
  /// The names of the parameters of each route, in the order of the path.
  private(set) var parameterNames: [[String]] = []

  /// Two routes for one method and path, or a pattern that no path can match, are faults of the program.
  init(_ routes: [(method: Method, pattern: String)]) {
    for (index, route) in routes.enumerated() {
      precondition(route.pattern.utf8.first == 0x2F, "a pattern starts with a slash: \(route.pattern)")
      var names: [String] = []
      var node = 0
      for segment in route.pattern.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
        if segment.first == ":" {
          names.append(String(segment.dropFirst()))
          node = wildcard(of: node)
        } else {
          node = child(of: node, Array(segment.utf8))
        }
      }
      precondition(names.count <= PathParameters.countMax, "too many parameters: \(route.pattern)")
      let method = Int(route.method.rawValue)
      precondition(nodes[node].routes[method] == -1, "two routes for \(route.method.name) \(route.pattern)")
      nodes[node].routes[method] = index
      parameterNames.append(names)
    }
    for place in nodes.indices { nodes[place].allow = allowed(at: nodes[place]) }
  }

  private mutating func wildcard(of parent: Int) -> Int {
    if nodes[parent].wildcard < 0 {
      nodes.append(Node())
      nodes[parent].wildcard = nodes.count - 1
    }
    return nodes[parent].wildcard
  }

  private mutating func child(of parent: Int, _ segment: [UInt8]) -> Int {
    var child = nodes[parent].firstChild
    while child >= 0 {
      if nodes[child].segment == segment { return child }
      child = nodes[child].nextSibling
    }
    var node = Node()
    node.segment = segment
    node.nextSibling = nodes[parent].firstChild
    nodes.append(node)
    nodes[parent].firstChild = nodes.count - 1
    return nodes.count - 1
  }

  private func allowed(at node: Node) -> String? {
    var methods = Method.allCases.filter { node.routes[Int($0.rawValue)] >= 0 }
    guard !methods.isEmpty else { return nil }
    if methods.contains(.get), !methods.contains(.head) { methods.append(.head) }
    if !methods.contains(.options) { methods.append(.options) }
    return methods.map(\.name).joined(separator: ", ")
  }
}

// MARK: - Matching

extension Router {
  private struct Walk {
    var spans = PathSpans()
    var allow: String?
    var found = -1
  }

  /// `path` is the part of the target before the query, and starts with a slash.
  func match(_ method: Method, _ path: ArraySlice<UInt8>) -> Match {
    let hasEscapes = path.contains(0x25)
    if hasEscapes || path.contains(0x2E), !Self.isValid(path) { return .badPath }
    guard path.first == 0x2F else { return .unknownPath }
    var walk = Walk()
    visit(0, path.startIndex + 1, path, method, hasEscapes, &walk)
    if walk.found >= 0 { return .route(walk.found, walk.spans) }
    if let allow = walk.allow { return .otherMethod(allow: allow) }
    return .unknownPath
  }

  /// Follows one segment. The depth is that of the deepest pattern.
  private func visit(
    _ node: Int, _ start: Int, _ path: ArraySlice<UInt8>, _ method: Method, _ hasEscapes: Bool, _ walk: inout Walk
  ) {
    var end = start
    while end < path.endIndex, path[end] != 0x2F { end += 1 }
    let segment = path[start..<end]
    var child = nodes[node].firstChild
    while child >= 0 {
      if isEqual(segment, nodes[child].segment, hasEscapes) {
        arrive(child, end, path, method, hasEscapes, &walk)
        break
      }
      child = nodes[child].nextSibling
    }
    let wildcard = nodes[node].wildcard
    if walk.found < 0, wildcard >= 0, start < end {
      walk.spans.append(start - path.startIndex..<end - path.startIndex)
      arrive(wildcard, end, path, method, hasEscapes, &walk)
      if walk.found < 0 { walk.spans.removeLast() }
    }
  }

  private func arrive(
    _ node: Int, _ end: Int, _ path: ArraySlice<UInt8>, _ method: Method, _ hasEscapes: Bool, _ walk: inout Walk
  ) {
    if end < path.endIndex { return visit(node, end + 1, path, method, hasEscapes, &walk) }
    var route = nodes[node].routes[Int(method.rawValue)]
    if route < 0, method == .head { route = nodes[node].routes[Int(Method.get.rawValue)] }
    walk.found = route
    if walk.allow == nil { walk.allow = nodes[node].allow }
  }

  private func isEqual(_ segment: ArraySlice<UInt8>, _ wanted: [UInt8], _ hasEscapes: Bool) -> Bool {
    if !hasEscapes {
      guard segment.count == wanted.count else { return false }
      var place = segment.startIndex
      for byte in wanted {
        if segment[place] != byte { return false }
        place += 1
      }
      return true
    }
    return PercentEncoding.decode(segment).map { Array($0.utf8) == wanted } ?? false
  }

  private static func isValid(_ path: ArraySlice<UInt8>) -> Bool {
    path.split(separator: 0x2F).allSatisfy { segment in
      guard let text = PercentEncoding.decode(segment) else { return false }
      return text != "." && text != ".."
    }
  }
}

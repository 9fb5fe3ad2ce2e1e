import Basics
import CCurl
import Glibc
import Synchronization

/// One request on its way. Only the thread in ``perform()`` touches what changes; ``cancel()`` sets an atomic.
final class Transfer: @unchecked Sendable {
  private let request: HTTPClientRequest
  private let client: HTTPClient
  private let onBytes: (@Sendable ([UInt8]) -> Bool)?
  private let isCancelled = Atomic(false)

  private var headers: [(name: String, value: String)] = []
  private var headerBytes = 0
  private var body: [UInt8] = []
  private var received = 0
  /// Why a callback stopped the transfer.
  private var stop: HTTPClientError?

  private static let largestHead = 64 << 10

  init(_ request: HTTPClientRequest, client: HTTPClient, onBytes: (@Sendable ([UInt8]) -> Bool)?) {
    self.request = request
    self.client = client
    self.onBytes = onBytes
  }

  func cancel() { isCancelled.store(true, ordering: .relaxed) }

  func perform() -> Result<HTTPClientResponse, HTTPClientError> {
    guard let handle = curl_easy_init() else { return .failure(.failed(code: Int(CURLE_FAILED_INIT.rawValue))) }
    defer { curl_easy_cleanup(handle) }
    let list = headerList()
    defer { curl_slist_free_all(list) }
    return request.body.withUnsafeBufferPointer { bytes in
      guard configure(handle, list), setMethod(handle, bytes) else {
        return .failure(.invalidRequest("libcurl does not take it"))
      }
      let code = withExtendedLifetime(self) { curl_easy_perform(handle) }
      if let error = error(code) { return .failure(error) }
      return .success(HTTPClientResponse(status: ccurl_status(handle), headers: headers, body: body))
    }
  }

  // MARK: - Options

  private func headerList() -> UnsafeMutablePointer<curl_slist>? {
    // Without this line, libcurl waits a second for the server to ask for a large body.
    var list = curl_slist_append(nil, "Expect:")
    for (name, value) in request.headers {
      list = curl_slist_append(list, value.isEmpty ? "\(name);" : "\(name): \(value)")
    }
    return list
  }

  private func configure(_ handle: UnsafeMutableRawPointer, _ list: UnsafeMutablePointer<curl_slist>?) -> Bool {
    let me = Unmanaged.passUnretained(self).toOpaque()
    var codes = [
      ccurl_set_string(handle, CURLOPT_URL, request.url),
      ccurl_set_string(handle, CURLOPT_PROTOCOLS_STR, "http,https"),
      ccurl_set_string(handle, CURLOPT_REDIR_PROTOCOLS_STR, "http,https"),
      ccurl_set_string(handle, CURLOPT_USERAGENT, client.userAgent),
      ccurl_set_pointer(handle, CURLOPT_HTTPHEADER, list),
      // Signals would interrupt the other threads.
      ccurl_set_long(handle, CURLOPT_NOSIGNAL, 1),
      ccurl_set_long(handle, CURLOPT_SSL_VERIFYPEER, 1),
      ccurl_set_long(handle, CURLOPT_SSL_VERIFYHOST, 2),
      ccurl_set_long(handle, CURLOPT_TIMEOUT_MS, milliseconds(request.timeout)),
      ccurl_set_long(handle, CURLOPT_CONNECTTIMEOUT_MS, milliseconds(request.connectTimeout)),
      ccurl_set_long(handle, CURLOPT_FOLLOWLOCATION, request.redirects > 0 ? 1 : 0),
      ccurl_set_long(handle, CURLOPT_MAXREDIRS, max(request.redirects, 0)),
      ccurl_set_pointer(handle, CURLOPT_WRITEDATA, me),
      ccurl_set_transfer(handle, CURLOPT_WRITEFUNCTION) { bytes, size, count, me in
        Transfer.of(me).take(bytes, size * count)
      },
      ccurl_set_pointer(handle, CURLOPT_HEADERDATA, me),
      ccurl_set_transfer(handle, CURLOPT_HEADERFUNCTION) { bytes, size, count, me in
        Transfer.of(me).takeHeader(bytes, size * count)
      },
      ccurl_set_long(handle, CURLOPT_NOPROGRESS, 0),
      ccurl_set_pointer(handle, CURLOPT_XFERINFODATA, me),
      ccurl_set_progress(handle) { me, _, _, _, _ in
        Transfer.of(me).isCancelled.load(ordering: .relaxed) ? 1 : 0
      },
    ]
    if !client.usesProxyEnvironment { codes.append(ccurl_set_string(handle, CURLOPT_PROXY, "")) }
    if let authorities = client.authorities { codes.append(ccurl_set_string(handle, CURLOPT_CAINFO, authorities)) }
    if !client.allowsPrivateAddresses {
      codes.append(ccurl_set_pointer(handle, CURLOPT_OPENSOCKETDATA, me))
      codes.append(ccurl_set_open_socket(handle) { me, _, address in Transfer.of(me).openSocket(address) })
    }
    return codes.allSatisfy { $0 == CURLE_OK }
  }

  private func setMethod(_ handle: UnsafeMutableRawPointer, _ body: UnsafeBufferPointer<UInt8>) -> Bool {
    if request.method == .head { return ccurl_set_long(handle, CURLOPT_NOBODY, 1) == CURLE_OK }
    if body.isEmpty, request.method == .get { return ccurl_set_long(handle, CURLOPT_HTTPGET, 1) == CURLE_OK }
    if body.isEmpty, request.method == .delete {
      return ccurl_set_string(handle, CURLOPT_CUSTOMREQUEST, request.method.rawValue) == CURLE_OK
    }
    // libcurl reads the bytes in place; an empty body still needs an address.
    let bytes = UnsafeMutableRawPointer(
      mutating: body.baseAddress.map { UnsafeRawPointer($0) } ?? UnsafeRawPointer(handle))
    return ccurl_set_long(handle, CURLOPT_POST, 1) == CURLE_OK
      && ccurl_set_size(handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body.count)) == CURLE_OK
      && ccurl_set_pointer(handle, CURLOPT_POSTFIELDS, bytes) == CURLE_OK
      && (request.method == .post
        || ccurl_set_string(handle, CURLOPT_CUSTOMREQUEST, request.method.rawValue) == CURLE_OK)
  }

  private func milliseconds(_ duration: Duration) -> Int {
    Int(min(max(duration.microseconds / 1000, 1), 86_400_000))
  }

  // MARK: - What libcurl calls

  private static func of(_ pointer: UnsafeMutableRawPointer?) -> Transfer {
    guard let pointer else { preconditionFailure("libcurl lost its pointer") }
    return Unmanaged<Transfer>.fromOpaque(pointer).takeUnretainedValue()
  }

  /// The count of bytes taken; less than `count` ends the transfer.
  private func take(_ bytes: UnsafeMutablePointer<CChar>?, _ count: Int) -> Int {
    guard received + count <= request.responseLimit else {
      stop = .tooLarge
      return 0
    }
    received += count
    let piece = UnsafeRawBufferPointer(start: bytes, count: count)
    guard let onBytes else {
      body.append(contentsOf: piece)
      return count
    }
    if onBytes(Array(piece)) { return count }
    stop = .cancelled
    return 0
  }

  private func takeHeader(_ bytes: UnsafeMutablePointer<CChar>?, _ count: Int) -> Int {
    headerBytes += count
    guard headerBytes <= Transfer.largestHead else {
      stop = .tooLarge
      return 0
    }
    let line = UnsafeRawBufferPointer(start: bytes, count: count)
    // The head of a 100 or of a redirect is followed by another.
    if line.starts(with: "HTTP/".utf8) {
      headers.removeAll()
      return count
    }
    guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return count }
    let name = line[..<colon].map(ASCII.lowercased)
    let value = line[(colon + 1)...].trimmed
    headers.append((String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self)))
    return count
  }

  /// Opens the socket that libcurl asks for, unless its peer is inside our own network.
  private func openSocket(_ address: UnsafeMutablePointer<curl_sockaddr>?) -> curl_socket_t {
    guard let address else { return CURL_SOCKET_BAD }
    // The address is the last member, and longer than its declared type.
    let offset = MemoryLayout<curl_sockaddr>.offset(of: \.addr) ?? 0
    let bytes = UnsafeRawBufferPointer(
      start: UnsafeRawPointer(address) + offset, count: Int(address.pointee.addrlen))
    guard NetworkAddress.isPublic(bytes) else {
      stop = .privateAddress
      return CURL_SOCKET_BAD
    }
    return socket(
      address.pointee.family, address.pointee.socktype | CInt(SOCK_CLOEXEC.rawValue), address.pointee.protocol)
  }

  // MARK: - Errors

  private func error(_ code: CURLcode) -> HTTPClientError? {
    if code == CURLE_OK { return nil }
    if let stop { return stop }
    switch code {
    case CURLE_UNSUPPORTED_PROTOCOL, CURLE_URL_MALFORMAT: return .invalidRequest("a URL that is not http or https")
    case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: return .unresolvedHost
    case CURLE_COULDNT_CONNECT: return .unreachable
    case CURLE_OPERATION_TIMEDOUT: return .timeout
    case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
      CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS:
      return .untrusted
    case CURLE_PARTIAL_FILE, CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_GOT_NOTHING, CURLE_HTTP2, CURLE_HTTP2_STREAM:
      return .connectionLost
    case CURLE_TOO_MANY_REDIRECTS: return .tooManyRedirects
    case CURLE_ABORTED_BY_CALLBACK: return .cancelled
    default: return .failed(code: Int(code.rawValue))
    }
  }
}

extension Collection<UInt8> where Self: BidirectionalCollection, SubSequence: BidirectionalCollection {
  /// Without white space around it.
  fileprivate var trimmed: [UInt8] {
    let rest = drop { $0 <= 0x20 }
    return Array(rest.reversed().drop { $0 <= 0x20 }.reversed())
  }
}

/// The pictures that are taken. What a file is, its first bytes say; neither its name nor the sender does. SVG is not
/// among them: it is a program that runs in the browser.
enum ImageType: String, CaseIterable, Sendable {
  case jpeg = "image/jpeg"
  case png = "image/png"
  case gif = "image/gif"
  case webp = "image/webp"

  /// Nil for everything else.
  init?(content: ArraySlice<UInt8>) {
    if content.starts(with: [0xFF, 0xD8, 0xFF]) {
      self = .jpeg
    } else if content.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) {
      self = .png
    } else if content.starts(with: "GIF87a".utf8) || content.starts(with: "GIF89a".utf8) {
      self = .gif
    } else if content.starts(with: "RIFF".utf8), content.dropFirst(8).starts(with: "WEBP".utf8) {
      self = .webp
    } else {
      return nil
    }
  }

  var fileExtension: String {
    switch self {
    case .jpeg: "jpg"
    case .png: "png"
    case .gif: "gif"
    case .webp: "webp"
    }
  }
}

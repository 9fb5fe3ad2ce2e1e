/// The release of this program, as /health and `freshtrack help` tell it.
let programVersion = "0.1.0"

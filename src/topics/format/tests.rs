//! What holds of every format and style, whatever the message; their bytes are in tests/formats.

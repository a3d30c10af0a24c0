"""What is carried: named, read, spooled, and read again on a resume. Knows no request but those it kept."""

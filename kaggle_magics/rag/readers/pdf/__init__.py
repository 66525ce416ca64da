"""PDF: lines, rows, scans."""

"""Installing plugins so that nothing that works stops working: resolve, look, try, then install."""

"""What ExploreData asks: one small function a question, over one streaming survey of the data."""

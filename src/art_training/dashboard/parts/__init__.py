"""What several pages draw: plain elements, badges, tables, plots. Text from a store is only ever text."""

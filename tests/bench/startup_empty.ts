// What start-up costs without anything.

"""What filled bands answer at a chemical potential and temperature: Hall conductivity, orbital magnetization."""

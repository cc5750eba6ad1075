try { const chosen = localStorage.getItem("heatmark-theme"); if (chosen) document.documentElement.dataset.theme = chosen; } catch { /* no storage: the system's theme */ }

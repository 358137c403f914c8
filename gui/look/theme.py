"""Colours, fonts and the style sheet: dark by default, light available.

One accent. Red means recording or fault and nothing else; `gui.look.behaviour_style` says how behaviours
look. Activity has a diverging map that is uniform in the Oklab space: equal steps of
z-score look equal, and positive and negative ones of equal size are equally light.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtGui import QColor, QFont, QFontDatabase, QPalette
from PyQt6.QtWidgets import QApplication

from gui.look.style import WindowStyle


@dataclass(frozen=True)
class Theme:
    """The named colours of one appearance, as "#rrggbb"."""

    name: str
    window: str
    panel: str
    plot: str
    raised: str
    line: str
    text: str
    muted: str
    accent: str
    on_accent: str
    alarm: str
    on_alarm: str
    alarm_dim: str
    good: str
    warning: str
    middle: str
    groups: tuple[str, ...]
    """Of behaviours, as `gui.look.behaviour_style.GROUPS`."""
    stimulus: str


DARK = Theme(
    name="dark",
    window="#15171b",
    panel="#1b1e23",
    plot="#101215",
    raised="#262a31",
    line="#30353d",
    text="#dde1e6",
    muted="#8d96a3",
    accent="#58a6d6",
    on_accent="#0c1116",
    alarm="#f0304a",
    on_alarm="#ffffff",
    alarm_dim="#4a1b1e",
    good="#5fb58e",
    warning="#e0b040",
    middle="#15171b",
    groups=("#56b4e9", "#d58b3d", "#14a67c", "#d583b1", "#f0e442", "#7b8ff0"),
    stimulus="#f5f7fa",
)

LIGHT = Theme(
    name="light",
    window="#eceef1",
    panel="#f7f8fa",
    plot="#ffffff",
    raised="#ffffff",
    line="#c9ced6",
    text="#1d2229",
    muted="#626b78",
    accent="#0f6ca8",
    on_accent="#ffffff",
    alarm="#b00030",
    on_alarm="#ffffff",
    alarm_dim="#f6d9da",
    good="#1f7f57",
    warning="#9a6a00",
    middle="#ffffff",
    groups=("#2f8fc9", "#a9641a", "#00835f", "#b4558a", "#b9a800", "#5264c8"),
    stimulus="#1d2229",
)

TEXT_PT = 9.0
THEMES = {theme.name: theme for theme in (DARK, LIGHT)}


def activity_colours(theme: Theme, steps: int = 256) -> NDArray[np.uint8]:
    """The colour map of z-scored activity, (steps, 3): blue, the background at 0, amber."""
    half = steps // 2
    blue, amber = ("#9fd8ff", "#ffd08a") if theme.name == "dark" else ("#0b3f86", "#7a3300")
    middle = _oklab(theme.middle)
    low = np.linspace(_oklab(blue), middle, half, endpoint=False)
    high = np.linspace(middle, _oklab(amber), steps - half)
    # Hue first, lightness after: a bow of chroma keeps the middle of each arm from looking grey.
    lab = np.concatenate([low, high])
    distance = np.abs(np.linspace(-1.0, 1.0, steps))[:, None]
    lab[:, 1:] *= 1.0 + 1.1 * (1.0 - distance)
    return _srgb(lab)


def spike_colours(theme: Theme, steps: int = 256) -> NDArray[np.uint8]:
    """The colour map of emulated spikes, (steps, 3): the ground of plots where there is none, text's at most.

    A single spike, which may have a pixel to share with its neighbours, is to be seen: lightness rises fast.
    """
    share = np.linspace(0.0, 1.0, steps)[:, None] ** 0.6
    return _srgb(_oklab(theme.plot) * (1.0 - share) + _oklab(theme.text) * share)


_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def _oklab(colour: str) -> NDArray[np.float64]:
    srgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255.0
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    result: NDArray[np.float64] = _TO_LAB @ np.cbrt(_TO_LMS @ linear)
    return result


def _srgb(lab: NDArray[np.float64]) -> NDArray[np.uint8]:
    lms = (lab @ np.linalg.inv(_TO_LAB).T) ** 3
    linear = np.clip(lms @ np.linalg.inv(_TO_LMS).T, 0.0, 1.0)
    srgb = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.round(srgb * 255.0).astype(np.uint8)


def numbers_font(size_pt: float = 10.0) -> QFont:
    """A font whose digits have one width, so that changing numbers stand still."""
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
    font.setPointSizeF(size_pt)
    return font


def set_font(app: QApplication) -> None:
    """Sets the size of all words. Widgets made before keep what they had, so it comes before the first."""
    font = app.font()
    font.setPointSizeF(TEXT_PT)
    app.setFont(font)


_APPLIED = "rodent_rig_theme"
"""The property of the application that says which appearance it has."""


def apply(app: QApplication, theme: Theme) -> None:
    """Gives the whole application this appearance; where it has it already, nothing is laid out anew."""
    if app.property(_APPLIED) == theme.name:
        return
    app.setProperty(_APPLIED, theme.name)
    app.setStyle(WindowStyle(theme.name == "dark"))
    set_font(app)
    palette = QPalette()
    role = QPalette.ColorRole
    for place, colour in (
        (role.Window, theme.window),
        (role.WindowText, theme.text),
        (role.Base, theme.plot),
        (role.AlternateBase, theme.panel),
        (role.Text, theme.text),
        (role.PlaceholderText, theme.muted),
        (role.Button, theme.raised),
        (role.ButtonText, theme.text),
        (role.ToolTipBase, theme.raised),
        (role.ToolTipText, theme.text),
        (role.Highlight, theme.accent),
        (role.HighlightedText, theme.on_accent),
        (role.Link, theme.accent),
    ):
        palette.setColor(place, QColor(colour))
    for place in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, place, QColor(theme.muted))
    app.setPalette(palette)
    app.setStyleSheet(_style_sheet(theme))


def _style_sheet(t: Theme) -> str:
    arrow, check = (
        (Path(__file__).parent / "icons" / f"{shape}_{t.name}.svg").as_posix()
        for shape in ("arrow", "check")
    )
    return f"""
    QMainWindow, QDialog, QMessageBox {{ background: {t.window}; }}
    QMainWindow::separator {{ background: {t.window}; width: 5px; height: 5px; }}
    QMainWindow::separator:hover {{ background: {t.accent}; }}
    QToolTip {{ background: {t.raised}; color: {t.text}; border: 1px solid {t.line}; padding: 3px; }}
    QMenuBar {{ background: {t.window}; padding: 1px 4px; }}
    QMenuBar::item {{ padding: 3px 9px; background: transparent; border-radius: 3px; }}
    QMenuBar::item:selected {{ background: {t.raised}; }}
    QMenu {{ background: {t.panel}; border: 1px solid {t.line}; padding: 4px; }}
    QMenu::item {{ padding: 4px 26px 4px 22px; border-radius: 3px; }}
    QMenu::item:selected {{ background: {t.accent}; color: {t.on_accent}; }}
    QMenu::item:disabled {{ color: {t.muted}; }}
    QMenu::separator {{ height: 1px; background: {t.line}; margin: 4px 6px; }}
    QDockWidget {{ titlebar-close-icon: none; titlebar-normal-icon: none; color: {t.muted}; }}
    QDockWidget::title {{ background: {t.panel}; padding: 4px 8px; border-top-left-radius: 4px;
        border-top-right-radius: 4px; text-align: left; }}
    QFrame#panel {{ background: {t.panel}; border-bottom-left-radius: 4px;
        border-bottom-right-radius: 4px; }}
    QFrame#bar {{ background: {t.panel}; border-radius: 4px; }}
    QFrame#rule {{ background: {t.line}; }}
    QLabel#title {{ color: {t.muted}; }}
    QLabel#muted {{ color: {t.muted}; }}
    QLabel#key {{ background: {t.raised}; color: {t.text}; border: 1px solid {t.line};
        border-bottom-width: 2px; border-radius: 4px; padding: 1px 6px; }}
    QLabel#alarm {{ color: {t.alarm}; font-weight: bold; }}
    QLabel#empty {{ color: {t.muted}; padding: 18px; }}
    QLabel#heading {{ color: {t.text}; font-size: 14pt; }}
    QPushButton, QToolButton {{ background: {t.raised}; color: {t.text}; border: 1px solid {t.line};
        border-radius: 4px; padding: 4px 12px; }}
    QToolButton {{ padding: 4px 8px; }}
    QToolButton[popupMode="2"] {{ padding-right: 18px; }}
    QToolButton::menu-indicator {{ image: url({arrow}); width: 9px; height: 9px;
        subcontrol-origin: padding; subcontrol-position: center right; right: 5px; }}
    QPushButton:hover, QToolButton:hover {{ border-color: {t.accent}; }}
    QPushButton:pressed, QToolButton:pressed {{ background: {t.line}; }}
    QPushButton:disabled, QToolButton:disabled {{ color: {t.muted}; background: {t.panel}; }}
    QPushButton[on="true"], QToolButton:checked {{ background: {t.accent}; color: {t.on_accent};
        border-color: {t.accent}; }}
    QPushButton[primary="true"] {{ background: {t.accent}; color: {t.on_accent};
        border-color: {t.accent}; }}
    QPushButton[edged="true"] {{ border: 2px solid {t.alarm}; font-weight: bold; padding: 3px 11px; }}
    QPushButton[edged="true"]:disabled {{ border: 1px solid {t.line}; font-weight: normal; }}
    QLabel#sentence {{ color: {t.muted}; }}
    QLabel#sentence[wrong="true"] {{ color: {t.warning}; }}
    QPushButton[recording="true"] {{ background: {t.alarm}; color: {t.on_alarm};
        border-color: {t.alarm}; font-weight: bold; }}
    QPushButton[warned="true"] {{ background: {t.warning}; color: {t.window}; border-color: {t.warning};
        font-weight: bold; }}
    QToolButton[lit="on"] {{ background: {t.accent}; color: {t.on_accent}; border-color: {t.accent}; }}
    QToolButton[lit="sham"] {{ border: 1px dashed {t.accent}; }}
    QPushButton:focus, QToolButton:focus {{ border: 2px solid {t.accent}; padding: 3px 11px; }}
    QToolButton:focus {{ padding: 3px 7px; }}
    QPushButton[on="true"]:focus, QPushButton[primary="true"]:focus, QPushButton[warned="true"]:focus,
        QPushButton[recording="true"]:focus, QToolButton[lit="on"]:focus, QToolButton:checked:focus {{
        border: 2px solid {t.text}; }}
    QCheckBox:focus {{ color: {t.accent}; }}
    QFrame#standstill {{ background: {t.warning}; border-radius: 6px; }}
    QFrame#standstill QLabel {{ color: {t.window}; background: transparent; }}
    QLabel#warning, QLabel[held="true"] {{ color: {t.warning}; }}
    QFrame#recording[state="recording"] {{ background: {t.alarm}; border-radius: 4px; }}
    QFrame#recording[state="recording"] QLabel {{ color: {t.on_alarm}; }}
    QFrame#recording[state="alarm"] {{ background: {t.alarm_dim}; border: 2px solid {t.alarm};
        border-radius: 4px; }}
    QFrame#recording[state="alarm"] QLabel {{ color: {t.text}; }}
    QFrame#recording[state="idle"] QLabel {{ color: {t.muted}; }}
    QFrame#banner {{ background: {t.alarm_dim}; border: 1px solid {t.alarm}; border-radius: 4px; }}
    QFrame#banner QLabel {{ color: {t.text}; }}
    QFrame#banner[kind="note"] {{ background: {t.raised}; border: 1px solid {t.line}; }}
    QToolButton#small {{ padding: 0 5px; font-size: 8pt; color: {t.muted}; border-color: {t.line};
        background: {t.panel}; }}
    QToolButton#small[popupMode="2"] {{ padding-right: 16px; }}
    QToolButton#small:hover {{ color: {t.text}; border-color: {t.accent}; }}
    QToolButton#small:checked {{ background: {t.accent}; color: {t.on_accent}; border-color: {t.accent}; }}
    QLineEdit, QPlainTextEdit, QTextEdit, QSpinBox, QDoubleSpinBox {{ background: {t.plot};
        color: {t.text}; border: 1px solid {t.line}; border-radius: 4px; padding: 3px 6px;
        selection-background-color: {t.accent}; selection-color: {t.on_accent}; }}
    QLineEdit:disabled, QPlainTextEdit:disabled, QSpinBox:disabled, QDoubleSpinBox:disabled {{
        color: {t.muted}; background: {t.panel}; }}
    QLineEdit:focus, QPlainTextEdit:focus, QTextEdit:focus, QComboBox:focus, QListWidget:focus,
        QSpinBox:focus, QDoubleSpinBox:focus {{ border-color: {t.accent}; }}
    QLineEdit[wrong="true"] {{ border-color: {t.alarm}; }}
    QComboBox {{ background: {t.raised}; color: {t.text}; border: 1px solid {t.line};
        border-radius: 4px; padding: 3px 8px; min-height: 18px; }}
    QComboBox:hover {{ border-color: {t.accent}; }}
    QComboBox:disabled {{ color: {t.muted}; background: {t.panel}; }}
    QComboBox::drop-down {{ border: none; width: 18px; }}
    QComboBox::down-arrow {{ image: url({arrow}); width: 9px; height: 9px; }}
    QComboBox QAbstractItemView {{ background: {t.panel}; color: {t.text}; border: 1px solid {t.line};
        outline: none; selection-background-color: {t.accent}; selection-color: {t.on_accent}; }}
    QAbstractItemView QLineEdit {{ padding: 0 3px; border-radius: 0; }}
    QTreeView::item {{ padding: 3px 2px; }}
    QListWidget {{ background: {t.panel}; color: {t.text}; border: 1px solid transparent; outline: none; }}
    QListWidget::item {{ padding: 2px 6px; }}
    QListWidget::item:selected {{ background: {t.accent}; color: {t.on_accent}; }}
    QTableView {{ background: {t.panel}; color: {t.text}; border: none; outline: none;
        selection-background-color: {t.accent}; selection-color: {t.on_accent}; }}
    QHeaderView {{ background: {t.panel}; border: none; }}
    QHeaderView::section {{ background: {t.panel}; color: {t.muted}; border: none;
        border-bottom: 1px solid {t.line}; padding: 2px 6px; }}
    QScrollArea, QScrollArea > QWidget > QWidget {{ border: none; background: transparent; }}
    QPushButton[primary="true"]:disabled {{ background: {t.raised}; color: {t.muted};
        border-color: {t.line}; }}
    QPlainTextEdit#words[kind="mistakes"] {{ color: {t.alarm}; }}
    QScrollBar:vertical {{ background: transparent; width: 10px; margin: 0; }}
    QScrollBar:horizontal {{ background: transparent; height: 10px; margin: 0; }}
    QScrollBar::handle {{ background: {t.line}; border-radius: 4px; min-height: 20px; min-width: 20px; }}
    QScrollBar::handle:hover {{ background: {t.muted}; }}
    QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
    QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
    QTabBar {{ qproperty-drawBase: 0; }}
    QTabBar::tab {{ background: {t.window}; color: {t.muted}; padding: 3px 8px; border: none; }}
    QTabBar::tab:selected {{ background: {t.panel}; color: {t.text}; }}
    QProgressBar {{ background: {t.raised}; border: none; border-radius: 2px; }}
    QProgressBar::chunk {{ background: {t.accent}; border-radius: 2px; }}
    QTabBar::scroller {{ width: 32px; }}
    QTabBar QToolButton {{ padding: 0; border-radius: 0; }}
    QCheckBox {{ color: {t.text}; spacing: 6px; }}
    QCheckBox:disabled {{ color: {t.muted}; }}
    QCheckBox::indicator {{ width: 13px; height: 13px; border: 1px solid {t.muted}; border-radius: 3px;
        background: {t.plot}; }}
    QCheckBox::indicator:checked {{ image: url({check}); }}
    QCheckBox::indicator:focus, QCheckBox::indicator:hover {{ border-color: {t.accent}; }}
    QCheckBox::indicator:disabled {{ border-color: {t.line}; background: {t.panel}; }}
    """

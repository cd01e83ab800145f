"""The commands of a data scientist: from recordings and ratings to a model and its report."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from neopain.cli.grammar import Commands, command, count, cutoff, group, natural, positive, seed


def add_training(commands: Commands[argparse.ArgumentParser]) -> None:
    """Data sets, raters, training, calibration, evaluation, and the infants that do not exist."""
    _add_data(commands)
    _add_annotate(commands)
    _add_simulate(commands)
    _add_train(commands)
    _add_calibrate(commands)
    _add_evaluate(commands)


def _add_data(commands: Commands[argparse.ArgumentParser]) -> None:
    data = group(commands, "data", "Data sets for training (docs/data.md)")
    check = command(data, "check", _data_check, "Read a data set and all of its files; exit 1 when something is wrong")
    check.add_argument("manifest", type=Path, metavar="MANIFEST", help="manifest.csv, or the folder that holds it")
    check.add_argument("--workers", type=count, default=1, help="processes at once (default 1)")
    check.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    imports = group(data, "import", "Write a data set from a public one")
    text = "Recordings of crying infants of Donate-a-cry; without ratings"
    cries = command(imports, "donate-a-cry", _import_donate_a_cry, text)
    cries.add_argument("folder", type=Path, metavar="FOLDER", help="the corpus, raw uploads or folders by class")
    cries.add_argument("out", type=Path, metavar="OUT", help="where the data set goes; must not hold one yet")
    wfdb = command(imports, "wfdb", _import_wfdb, "RR intervals from the annotated beats of a WFDB record (PhysioNet)")
    wfdb.add_argument("record", type=Path, metavar="RECORD", help="the record's header, with or without .hea")
    wfdb.add_argument("out", type=Path, metavar="OUT", help="where the data set goes; must not hold one yet")
    wfdb.add_argument("--annotator", default="", metavar="SUFFIX", help="file with the beats (default: the only one)")
    wfdb.add_argument("--subject", default="", help="the infant's pseudonym (default: the record's name)")
    wfdb.add_argument("--site", default="wfdb", help="where it was recorded (default wfdb)")
    wfdb.add_argument("--licence", default="", help="licence tag of the record, e.g. ODC-By-1.0")


def _add_annotate(commands: Commands[argparse.ArgumentParser]) -> None:
    annotate = group(commands, "annotate", "Raters' scores of a data set")
    agreement = command(annotate, "agreement", _annotate_agreement, "How well raters agree; writes resolved labels")
    agreement.add_argument("manifest", type=Path, metavar="MANIFEST", help="manifest with the scores of all raters")
    agreement.add_argument("--out", type=Path, metavar="RESOLVED.csv", help="manifest to write: one label per segment")
    agreement.add_argument("--third-rater", type=Path, metavar="FILE.csv", help="third rater's scores, a filled sheet")
    agreement.add_argument("--sheet", type=Path, metavar="SHEET.csv", help="sheet to write for the third rater")
    text = "points by which scores may differ before a third rater is needed (default 1)"
    agreement.add_argument("--threshold", type=float, default=1.0, metavar="POINTS", help=text)
    agreement.add_argument("--scale", default="NIPS", help="NIPS, 'N-PASS pain' or 'N-PASS sedation' (default NIPS)")
    agreement.add_argument("--resamples", type=natural, default=2000, help="draws for each interval (default 2000)")
    agreement.add_argument("--json", action="store_true", help="print one JSON object instead of text")


def _add_simulate(commands: Commands[argparse.ArgumentParser]) -> None:
    simulate = group(commands, "simulate", "Infants that do not exist")
    cohort = command(simulate, "cohort", _simulate_cohort, "Write a data set of simulated, rated infants")
    cohort.add_argument("folder", type=Path, help="where the data set goes; must not hold one yet")
    cohort.add_argument("--seed", type=natural, required=True, help="the same seed gives the same cohort")
    cohort.add_argument("--infants", type=natural, default=127, help="how many infants (default 127)")
    cohort.add_argument("--workers", type=count, help="processes at once (default: one per processor)")
    text = "How well windows of simulated infants can be scored at all, from what is there (docs/evaluation)"
    bound = command(simulate, "bound", _simulate_bound, text)
    bound.add_argument("--seed", type=seed, required=True, help="of the infants that readers are judged by")
    bound.add_argument("--infants", type=natural, default=127, help="how many of them (default 127)")
    bound.add_argument("--learn-seed", type=seed, default=3001, help="of the infants they learn from (default 3001)")
    bound.add_argument("--learn-infants", type=natural, default=600, help="how many of them (default 600)")
    text = "one more presence pattern, such as FC (always: FCPM, and each that lacks one letter)"
    bound.add_argument("--pattern", action="append", default=[], metavar="LETTERS", help=text)
    bound.add_argument("--workers", type=count, help="processes at once (default: one per processor)")
    bound.add_argument("--json", action="store_true", help="print one JSON object instead of text")


def _add_train(commands: Commands[argparse.ArgumentParser]) -> None:
    train = command(commands, "train", _train, "Train the nets on rated data sets (docs/training.md)")
    text = "data set with a manifest.csv; may be given several times"
    train.add_argument("--data", type=Path, metavar="FOLDER", action="append", required=True, help=text)
    text = "data set whose infants teach only the fusion head and the baselines; may be given several times"
    train.add_argument("--heads-data", type=Path, metavar="FOLDER", action="append", default=[], help=text)
    train.add_argument("--out", type=Path, metavar="RUN", required=True, help="folder of the training; goes on there")
    train.add_argument("--config", type=Path, metavar="FILE.toml", help="what differs from the default preset")
    train.add_argument("--start", type=Path, metavar="FILE", help="checkpoint to begin with (default: seeded weights)")
    train.add_argument("--seed", type=seed, default=0, help="seed of weights, split and batches (default 0)")
    train.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where to compute (default cpu)")
    train.add_argument("--minutes", type=positive, metavar="M", help="stop after this long; run again to go on")


def _add_calibrate(commands: Commands[argparse.ArgumentParser]) -> None:
    text = "Fit intervals and limits of a model to rated infants that it has never met (docs/training.md)"
    calibrate = command(commands, "calibrate", _calibrate, text)
    calibrate.add_argument("--data", type=Path, metavar="FOLDER", required=True, help="a data set of its own")
    text = "a model repository, a run or a checkpoint; calibration.json is written beside it"
    calibrate.add_argument("--model", type=Path, metavar="PLACE", required=True, help=text)
    calibrate.add_argument("--seed", type=seed, default=0, help="seed of the resampling (default 0)")
    calibrate.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="for a checkpoint (default cpu)")
    calibrate.add_argument("--state", type=Path, help="folder for prepared windows (default var/evaluate)")
    calibrate.add_argument("--json", action="store_true", help="print one JSON object")


def _add_evaluate(commands: Commands[argparse.ArgumentParser]) -> None:
    text = "Judge a model on rated infants that it has never met: figures, report, model card (docs/evaluation)"
    evaluate = command(commands, "evaluate", _evaluate, text)
    judged = evaluate.add_mutually_exclusive_group(required=True)
    judged.add_argument("--cohort-seed", type=seed, metavar="N", help="simulated infants of this seed")
    judged.add_argument("--data", type=Path, metavar="FOLDER", help="a data set of your own (docs/data.md)")
    evaluate.add_argument("--infants", type=natural, default=127, help="how many are simulated (default 127)")
    text = "a model repository, a run or a checkpoint (default: the nets that are served here)"
    evaluate.add_argument("--model", type=Path, metavar="PLACE", help=text)
    text = "what runs it (default: openvino for a repository, torch for a run or checkpoint)"
    evaluate.add_argument("--engine", choices=("torch", "openvino", "triton"), help=text)
    text = "the run with the baselines to compare with (default: beside the model, where there are any)"
    evaluate.add_argument("--baselines", type=Path, metavar="RUN", help=text)
    text = "calibrate anew without the infant (loso), a tenth of them (kfold) or the site that is judged (default none)"
    evaluate.add_argument("--split", choices=("none", "loso", "kfold", "site"), default="none", help=text)
    text = "NIPS points above which it is pain (default 3)"
    evaluate.add_argument("--cutoff", type=cutoff, default=3.0, metavar="POINTS", help=text)
    evaluate.add_argument("--seed", type=seed, default=0, help="seed of folds and of intervals (default 0)")
    evaluate.add_argument("--resamples", type=natural, default=2000, help="draws for each interval (default 2000)")
    evaluate.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="for torch (default cpu)")
    evaluate.add_argument("--out", type=Path, metavar="FOLDER", help="where the report goes (default below --state)")
    evaluate.add_argument("--state", type=Path, help="folder for cohorts and windows (default var/evaluate)")
    evaluate.add_argument("--json", action="store_true", help="print the headline as one JSON object, last line")


def _simulate_cohort(options: argparse.Namespace) -> int:
    from neopain.bootstrap.simulate import CohortOptions, run_simulate_cohort

    return run_simulate_cohort(
        CohortOptions(folder=options.folder, seed=options.seed, infants=options.infants, workers=options.workers)
    )


def _simulate_bound(options: argparse.Namespace) -> int:
    from neopain.bootstrap.bound.command import BoundOptions, run_bound

    return run_bound(
        BoundOptions(
            seed=options.seed,
            infants=options.infants,
            learn_seed=options.learn_seed,
            learn_infants=options.learn_infants,
            patterns=tuple(options.pattern),
            workers=options.workers,
            as_json=options.json,
        )
    )


def _evaluate(options: argparse.Namespace) -> int:
    from neopain.bootstrap.evaluate import EvaluateOptions, run_evaluate

    return run_evaluate(
        EvaluateOptions(
            cohort_seed=options.cohort_seed,
            data=options.data,
            infants=options.infants,
            model=options.model,
            engine=options.engine,
            baselines=options.baselines,
            split=options.split,
            cutoff_nips=options.cutoff,
            seed=options.seed,
            resamples=options.resamples,
            device=options.device,
            out=options.out,
            state_dir=options.state,
            as_json=options.json,
            command=tuple(sys.argv[1:]),
        )
    )


def _calibrate(options: argparse.Namespace) -> int:
    from neopain.bootstrap.calibrate import CalibrateOptions, run_calibrate

    return run_calibrate(
        CalibrateOptions(
            data=options.data,
            model=options.model,
            seed=options.seed,
            device=options.device,
            state_dir=options.state,
            as_json=options.json,
        )
    )


def _train(options: argparse.Namespace) -> int:
    from neopain.bootstrap.train import TrainOptions, run_train

    return run_train(
        TrainOptions(
            data=tuple(options.data),
            heads_data=tuple(options.heads_data),
            out=options.out,
            config=options.config,
            start=options.start,
            seed=options.seed,
            device=options.device,
            minutes=options.minutes,
        )
    )


def _data_check(options: argparse.Namespace) -> int:
    from neopain.bootstrap.data import data_check

    return data_check(options.manifest, workers=options.workers, as_json=options.json)


def _import_donate_a_cry(options: argparse.Namespace) -> int:
    from neopain.bootstrap.data import import_donate_a_cry

    return import_donate_a_cry(options.folder, options.out)


def _import_wfdb(options: argparse.Namespace) -> int:
    from neopain.bootstrap.data import WfdbOptions, import_wfdb

    return import_wfdb(
        WfdbOptions(
            record=options.record,
            out=options.out,
            annotator=options.annotator,
            subject=options.subject,
            site=options.site,
            licence=options.licence,
        )
    )


def _annotate_agreement(options: argparse.Namespace) -> int:
    from neopain.bootstrap.annotate import AgreementOptions, run_agreement

    return run_agreement(
        AgreementOptions(
            manifest=options.manifest,
            out=options.out,
            third_rater=options.third_rater,
            sheet=options.sheet,
            threshold=options.threshold,
            scale=options.scale,
            resamples=options.resamples,
            as_json=options.json,
        )
    )

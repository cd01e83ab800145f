from neopain.training.predictions import Predictions
from neopain.training.report.courses import draw_courses, sample_courses


def test_the_best_and_the_worst_infant_are_among_those_shown(make_sample, make_answers):
    errors = [0.1 * row for row in range(20)]
    sample = make_sample([5.0] * 20, [5.0 + error for error in errors])
    courses = sample_courses(Predictions(sample.windows, {"fusion": make_answers(sample)}), count=3)
    assert [course.subject for course in courses] == ["i0", "i10", "i19"]


def test_few_infants_are_all_shown(make_sample, make_answers):
    sample = make_sample([5.0, 5.0], [6.0, 5.5])
    courses = sample_courses(Predictions(sample.windows, {"fusion": make_answers(sample)}))
    assert [(course.subject, course.mae) for course in courses] == [("i1", 0.5), ("i0", 1.0)]


def test_a_course_is_in_order_of_time(make_sample, make_answers):
    sample = make_sample([5.0, 5.0, 5.0], [5.0, 5.0, 5.0], subjects=["a", "a", "a"])
    turned = type(sample)(sample.windows[::-1], sample.quantiles)
    courses = sample_courses(Predictions(turned.windows, {"fusion": make_answers(turned)}))
    assert courses[0].rows == (2, 1, 0)


def test_abstentions_and_raters_are_drawn(make_sample, make_answers):
    sample = make_sample([5.0, 5.0], [5.0, 5.0], subjects=["a", "a"])
    made = Predictions(sample.windows, {"fusion": make_answers(sample, abstained=("", "far"))})
    picture = draw_courses(made, sample_courses(made))
    assert all(label in picture for label in ("90 % interval", "each rater", "abstained", "a · MAE 0.00"))
